package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/tests/storage"
)

// connect does the handshake with a server at socket.
func connect(t *testing.T, socket string) *Client {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Handshake(conn)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn, e)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// kit is a memory disk of 8 MiB that nbdkit serves.
func kit(t *testing.T, args ...string) *Client {
	t.Helper()
	return connect(t, storage.Start(t, append([]string{"nbdkit", "--foreground", "--unix=SOCKET"}, args...)...).Socket)
}

// TestServers: whatever a server lacks, what was written is read again.
func TestServers(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"all":                    {"memory", "8M"},
		"simple replies":         {"--no-sr", "memory", "8M"},
		"no zeroes":              {"--filter=nozero", "memory", "8M"},
		"no fast zeroes":         {"--filter=nozero", "memory", "8M", "zeromode=notrim", "fastzeromode=none"},
		"no extents":             {"--filter=noextents", "memory", "8M"},
		"slow":                   {"--filter=delay", "memory", "8M", "rdelay=20ms", "wdelay=20ms"},
		"parallel, out of order": {"--filter=delay", "--threads=8", "memory", "8M", "delay-write=7ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := kit(t, args...)
			want := bytes.Repeat([]byte("snf-image "), 8<<20/10)
			if err := spread(c, want); err != nil {
				t.Fatal(err)
			}
			switch err := c.Zero(4096, 1<<20, false); {
			case err == nil:
				clear(want[4096:][:1<<20])
			case !errors.Is(err, unix.EOPNOTSUPP) || name != "no zeroes":
				t.Errorf("Zero = %v", err)
			}
			got := make([]byte, len(want))
			if _, err := c.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("ReadAt is not what was written: %v", err)
			}
			if err := c.Flush(); err != nil {
				t.Error(err)
			}
			if fast := c.Zero(0, 4096, true); name == "no fast zeroes" && !errors.Is(fast, unix.EOPNOTSUPP) {
				t.Errorf("Zero, fast = %v, want %v", fast, unix.EOPNOTSUPP)
			}
		})
	}
}

// spread writes b from several goroutines.
func spread(c *Client, b []byte) error {
	var wg sync.WaitGroup
	errs := make([]error, 8)
	size := len(b) / len(errs)
	for i := range errs {
		wg.Go(func() { _, errs[i] = c.WriteAt(b[i*size:][:size], int64(i*size)) })
	}
	wg.Wait()
	return errors.Join(append(errs, func() error {
		rest := len(errs) * size
		_, err := c.WriteAt(b[rest:], int64(rest))
		return err
	}())...)
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]unix.Errno{"ENOSPC": unix.ENOSPC, "EIO": unix.EIO, "EPERM": unix.EPERM} {
		for _, more := range [][]string{nil, {"--no-sr"}} {
			c := kit(t, append(more, "--filter=error", "memory", "8M", "error="+name, "error-rate=100%")...)
			_, writeErr := c.WriteAt(make([]byte, 4096), 0)
			_, readErr := c.ReadAt(make([]byte, 4096), 0)
			if !errors.Is(writeErr, want) || !errors.Is(readErr, want) {
				t.Errorf("%s %v: write %v, read %v", name, more, writeErr, readErr)
			}
		}
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	c := kit(t, "memory", "8M")
	for _, r := range [][2]int64{{-1, 4096}, {8 << 20, 1}, {8<<20 - 1, 2}, {1 << 62, 1}} {
		if _, err := c.WriteAt(make([]byte, r[1]), r[0]); !errors.Is(err, unix.EINVAL) {
			t.Errorf("WriteAt %v = %v, want %v", r, err, unix.EINVAL)
		}
	}
}

// scripted is a client whose server says just this, and then no more.
func scripted(t testing.TB, e Export, says []byte) *Client {
	ours, theirs := net.Pipe()
	go func() {
		go func() { // drain
			buf := make([]byte, 1<<16)
			for {
				if _, err := theirs.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = theirs.Write(says)
		_ = theirs.Close()
	}()
	_ = ours.SetDeadline(time.Now().Add(time.Minute))
	c := &Client{conn: ours, export: e, calls: map[uint64]*call{}}
	t.Cleanup(func() { _ = ours.Close() })
	return c
}

func chunk(flags, kind uint16, cookie uint64, content ...any) []byte {
	var b []byte
	for _, v := range content {
		b, _ = binary.Append(b, binary.BigEndian, v)
	}
	head, _ := binary.Append(nil, binary.BigEndian, struct {
		Magic       uint32
		Flags, Kind uint16
		Cookie      uint64
		Size        uint32
	}{magicStructured, flags, kind, cookie, uint32(len(b))})
	return append(head, b...)
}

var chunked = Export{Size: 1 << 20, Flags: flagHasFlags, Structured: true, Allocation: true, Context: 7}

// TestHostileReplies: none of these is taken for what was asked.
func TestHostileReplies(t *testing.T) {
	t.Parallel()
	short := make([]byte, 100)
	for name, says := range map[string][]byte{
		"nothing":             nil,
		"garbage":             bytes.Repeat([]byte("garbage "), 9),
		"done at once":        chunk(chunkDone, chunkNone, 1),
		"half of the data":    chunk(chunkDone, chunkData, 1, uint64(0), short),
		"data twice":          slices.Concat(chunk(0, chunkData, 1, uint64(0), short), chunk(chunkDone, chunkData, 1, uint64(0), make([]byte, 412))),
		"too much":            chunk(chunkDone, chunkData, 1, uint64(0), make([]byte, 513)),
		"another place":       chunk(chunkDone, chunkData, 1, uint64(512), make([]byte, 512)),
		"another cookie":      chunk(chunkDone, chunkData, 2, uint64(0), make([]byte, 512)),
		"a status":            chunk(chunkDone, chunkStatus, 1, uint32(7), uint32(512), uint32(0)),
		"a huge hole":         chunk(chunkDone, chunkHole, 1, uint64(0), uint32(1<<31)),
		"an error too long":   chunk(chunkDone, chunkError|1, 1, uint32(5), make([]byte, maxText+11)),
		"a simple reply":      {0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		"the end in the data": chunk(chunkDone, chunkData, 1, uint64(0), make([]byte, 512))[:300],
	} {
		c := scripted(t, chunked, says)
		k := &call{command: cmdRead, n: 512, buf: make([]byte, 512), done: make(chan struct{})}
		if _, err := c.register(k); err != nil {
			t.Fatal(err)
		}
		c.receive()
		if <-k.done; !errors.Is(k.err, ErrProtocol) && !errors.Is(k.err, ErrGone) {
			t.Errorf("%s: %v, want a broken protocol or connection", name, k.err)
		}
	}
}

func TestHostileStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		says []byte
		ok   bool
	}{
		"beyond the range": {chunk(chunkDone, chunkStatus, 1, uint32(7), uint32(1<<30), uint32(stateZero)), true},
		"another context":  {chunk(chunkDone, chunkStatus, 1, uint32(8), uint32(512), uint32(stateZero)), false},
		"of no length":     {chunk(chunkDone, chunkStatus, 1, uint32(7), uint32(0), uint32(stateZero)), false},
		"without extents":  {chunk(chunkDone, chunkStatus, 1, uint32(7)), false},
		"more extents":     {chunk(chunkDone, chunkStatus, 1, uint32(7), uint32(512), uint32(0), uint32(512), uint32(0)), false},
		"twice": {slices.Concat(chunk(0, chunkStatus, 1, uint32(7), uint32(512), uint32(0)),
			chunk(chunkDone, chunkStatus, 1, uint32(7), uint32(512), uint32(0))), false},
	} {
		c := scripted(t, chunked, tc.says)
		k := &call{command: cmdStatus, n: 512, done: make(chan struct{})}
		if _, err := c.register(k); err != nil {
			t.Fatal(err)
		}
		c.receive()
		if <-k.done; (k.err == nil) != tc.ok || tc.ok && !slices.Equal(k.extents, []Extent{{512, true}}) {
			t.Errorf("%s: %v, %v", name, k.extents, k.err)
		}
	}
}

func FuzzReplies(f *testing.F) {
	f.Add(chunk(chunkDone, chunkData, 1, uint64(0), make([]byte, 512)), true)
	f.Add(chunk(chunkDone, chunkStatus, 2, uint32(7), uint32(4096), uint32(stateZero)), true)
	f.Add(chunk(chunkDone, chunkError|1, 3, uint32(28), uint16(3), []byte("abc")), true)
	f.Add([]byte{0x67, 0x44, 0x66, 0x98, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3}, false)
	f.Fuzz(func(t *testing.T, says []byte, structured bool) {
		e := chunked
		e.Structured = structured
		c := scripted(t, e, says)
		calls := []*call{{command: cmdRead, n: 512, buf: make([]byte, 512)}, {command: cmdStatus, n: 4096}, {command: cmdWrite, n: 512}}
		for _, k := range calls {
			k.done = make(chan struct{})
			if _, err := c.register(k); err != nil {
				t.Fatal(err)
			}
		}
		c.receive()
		for _, k := range calls {
			<-k.done
			covered := int64(0)
			for _, x := range k.extents {
				covered += x.Length
			}
			if k.err == nil && k.command == cmdStatus && (covered <= 0 || covered > k.n) {
				t.Errorf("extents %v of %d bytes", k.extents, k.n)
			}
		}
	})
}

func FuzzHandshake(f *testing.F) {
	hello := []byte("NBDMAGICIHAVEOPT\x00\x03")
	f.Add(hello)
	reply := func(option, kind uint32, data []byte) []byte {
		b, _ := binary.Append(nil, binary.BigEndian, struct {
			Magic              uint64
			Option, Kind, Size uint32
		}{magicReply, option, kind, uint32(len(data))})
		return append(b, data...)
	}
	f.Add(slices.Concat(hello, reply(optStructured, repError|1, nil),
		reply(optGo, repInfo, []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}), reply(optGo, repAck, nil)))
	f.Fuzz(func(t *testing.T, says []byte) {
		c := scripted(t, Export{}, says)
		if e, err := Handshake(c.conn); err == nil && (e.Size < 0 || e.Flags&flagHasFlags == 0) {
			t.Errorf("Handshake = %+v", e)
		}
	})
}
