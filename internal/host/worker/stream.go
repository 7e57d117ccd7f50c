package worker

import (
	"context"
	"errors"
	"io"

	"snf-image/internal/host/target"
)

// depth is how many chunks are between reading and writing a stream.
const depth = 4

// load is one chunk on its way, with the buffer it came in.
type load struct{ data, buf []byte }

// pump hands what get returns to put, in order, and returns how many bytes that
// were. get fills a buffer, or returns bytes of its own, until io.EOF. It runs
// ahead in a goroutine of its own: a stream may never deliver, and get is left
// behind then. put is never left in the middle.
func pump(ctx context.Context, get func(buf []byte) ([]byte, error), put func(p []byte, off int64) error) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	full, empty := make(chan load, depth), make(chan []byte, depth)
	for range depth {
		buf, err := target.Buffer(chunkSize)
		if err != nil {
			return 0, err
		}
		empty <- buf
	}
	go func() {
		if err := fetch(ctx, get, full, empty); err != nil {
			cancel(err)
			return
		}
		close(full)
	}()
	return deliver(ctx, put, full, empty)
}

// fetch fills buffers.
func fetch(ctx context.Context, get func([]byte) ([]byte, error), full chan<- load, empty <-chan []byte) error {
	for {
		select {
		case buf := <-empty:
			p, err := get(buf)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			full <- load{p, buf} // there is room for every buffer
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// deliver empties them.
func deliver(ctx context.Context, put func([]byte, int64) error, full <-chan load, empty chan<- []byte) (int64, error) {
	off := int64(0)
	for {
		select {
		case l, more := <-full:
			if !more {
				return off, nil
			}
			if err := put(l.data, off); err != nil {
				return off, err
			}
			off += int64(len(l.data))
			empty <- l.buf
		case <-ctx.Done():
			return off, context.Cause(ctx)
		}
	}
}
