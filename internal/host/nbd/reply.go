package nbd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// receive reads replies up to the first message that is not one. A broken connection is of
// no further use, so it is closed.
func (c *Client) receive() {
	in := bufio.NewReader(c.conn)
	for {
		if err := c.reply(in); err != nil {
			_ = c.conn.Close()
			c.fail(gone(err))
			return
		}
	}
}

// reply reads one simple reply or one chunk.
func (c *Client) reply(in io.Reader) error {
	var magic [4]byte
	if _, err := io.ReadFull(in, magic[:]); err != nil {
		return err
	}
	switch m := binary.BigEndian.Uint32(magic[:]); m {
	case magicSimple:
		return c.simple(in)
	case magicStructured:
		return c.chunk(in)
	default:
		return fmt.Errorf("%w: %#x is not a reply", ErrProtocol, m)
	}
}

// simple reads the rest of a simple reply.
func (c *Client) simple(in io.Reader) error {
	var head struct {
		Error  uint32
		Cookie uint64
	}
	if err := binary.Read(in, binary.BigEndian, &head); err != nil {
		return err
	}
	k := c.pending(head.Cookie)
	switch {
	case k == nil || k.filled > 0 || k.answered:
		return fmt.Errorf("%w: a reply to nothing", ErrProtocol)
	case k.command == cmdStatus, k.command == cmdRead && c.export.Structured:
		return fmt.Errorf("%w: a simple reply where chunks are due", ErrProtocol)
	case head.Error != 0:
		k.err = errno(head.Error)
	case k.command == cmdRead:
		if _, err := io.ReadFull(in, k.buf); err != nil {
			return err
		}
	}
	c.finish(head.Cookie)
	return nil
}

// chunk reads the rest of a chunk.
func (c *Client) chunk(in io.Reader) error {
	var head struct {
		Flags, Kind uint16
		Cookie      uint64
		Size        uint32
	}
	if err := binary.Read(in, binary.BigEndian, &head); err != nil {
		return err
	}
	k := c.pending(head.Cookie)
	if k == nil || !c.export.Structured {
		return fmt.Errorf("%w: a chunk for nothing", ErrProtocol)
	}
	if err := k.take(in, head.Kind, int64(head.Size), c.export.Context); err != nil {
		return err
	}
	if head.Flags&chunkDone == 0 {
		return nil
	}
	if err := k.complete(); err != nil {
		return err
	}
	c.finish(head.Cookie)
	return nil
}

// take reads the content of a chunk of size bytes.
func (k *call) take(in io.Reader, kind uint16, size int64, context uint32) error {
	switch {
	case kind == chunkNone && size == 0:
		return nil
	case kind == chunkData && k.command == cmdRead && size >= 8:
		return k.data(in, size-8)
	case kind == chunkHole && k.command == cmdRead && size == 12:
		return k.hole(in)
	case kind == chunkStatus && k.command == cmdStatus && size > 4 && size%8 == 4 && size <= maxStatus && !k.answered:
		return k.status(in, int(size-4)/8, context)
	case kind&chunkError != 0 && size >= 6 && size <= 6+maxText+8:
		return k.failed(in, size)
	}
	return fmt.Errorf("%w: a chunk of type %d with %d bytes", ErrProtocol, kind, size)
}

// data reads a part of what was asked for. Parts come in order; there is but
// one where the server knows not to fragment.
func (k *call) data(in io.Reader, n int64) error {
	part, err := k.part(in, n)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(in, part)
	return err
}

// hole takes a part that is zero.
func (k *call) hole(in io.Reader) error {
	var head struct {
		Offset uint64
		Size   uint32
	}
	if err := binary.Read(in, binary.BigEndian, &head); err != nil {
		return err
	}
	part, err := k.place(head.Offset, int64(head.Size))
	clear(part)
	return err
}

// part reads the offset of a part of n bytes and returns its place.
func (k *call) part(in io.Reader, n int64) ([]byte, error) {
	var offset [8]byte
	if _, err := io.ReadFull(in, offset[:]); err != nil {
		return nil, err
	}
	return k.place(binary.BigEndian.Uint64(offset[:]), n)
}

func (k *call) place(offset uint64, n int64) ([]byte, error) {
	if offset != uint64(k.off)+uint64(k.filled) || n <= 0 || n > int64(len(k.buf)-k.filled) {
		return nil, fmt.Errorf("%w: %d bytes at %d are not what is due", ErrProtocol, n, offset)
	}
	part := k.buf[k.filled:][:n]
	k.filled += int(n)
	return part, nil
}

// status reads n extents. The last one may reach beyond what was asked for.
func (k *call) status(in io.Reader, n int, context uint32) error {
	b := make([]byte, 4+8*n)
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b) != context {
		return fmt.Errorf("%w: the status of something else", ErrProtocol)
	}
	rest := k.n
	for b = b[4:]; len(b) > 0; b = b[8:] {
		length := int64(binary.BigEndian.Uint32(b))
		if length == 0 || rest == 0 {
			return fmt.Errorf("%w: extents that cover nothing", ErrProtocol)
		}
		length = min(length, rest)
		rest -= length
		k.extents = append(k.extents, Extent{length, binary.BigEndian.Uint32(b[4:])&stateZero != 0})
	}
	k.answered = true
	return nil
}

// failed reads an error. Its text is for developers of the server; the number
// says what we need.
func (k *call) failed(in io.Reader, size int64) error {
	b := make([]byte, size)
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	if k.err == nil {
		k.err = errno(binary.BigEndian.Uint32(b))
	}
	return nil
}

// complete refuses a reply that ends before it has said everything.
func (k *call) complete() error {
	if k.err == nil && (k.filled < len(k.buf) || k.command == cmdStatus && !k.answered) {
		return fmt.Errorf("%w: a reply without its content", ErrProtocol)
	}
	return nil
}

func (c *Client) pending(cookie uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[cookie]
}

// finish ends a call that got its reply.
func (c *Client) finish(cookie uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.calls[cookie].done)
	delete(c.calls, cookie)
}

// errno returns the error that a number means, proto.md "Error values".
func errno(n uint32) error {
	switch e := unix.Errno(n); e {
	case unix.EPERM, unix.ENOMEM, unix.EINVAL, unix.ENOSPC, unix.EOVERFLOW, unix.EOPNOTSUPP, unix.ESHUTDOWN:
		return e
	}
	return unix.EIO
}
