package nbd

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Client reads and writes an export. It is safe for concurrent use: requests
// are under way side by side on one connection.
type Client struct {
	conn   net.Conn
	export Export

	sending sync.Mutex // a request goes out in one piece
	mu      sync.Mutex
	calls   map[uint64]*call
	last    uint64 // cookie
	broken  error  // why there are no further replies
}

// call is a request under way.
type call struct {
	command  uint16
	off, n   int64
	buf      []byte // of a read
	filled   int
	extents  []Extent
	answered bool // a block status came
	err      error
	done     chan struct{}
}

// Extent is a range of an export.
type Extent struct {
	Length int64
	Zero   bool // it reads as zero
}

// NewClient takes up the transmission phase on conn, for which Handshake
// returned e. The Client owns conn.
func NewClient(conn net.Conn, e Export) *Client {
	c := &Client{conn: conn, export: e, calls: map[uint64]*call{}}
	go c.receive()
	return c
}

// Export returns what the handshake found.
func (c *Client) Export() Export { return c.export }

// ReadAt reads all of p at off.
func (c *Client) ReadAt(p []byte, off int64) (int, error) {
	flags := uint16(0)
	if c.export.has(flagDontFrag) {
		flags = cmdDontFrag
	}
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+MaxPayload)]
		k := &call{command: cmdRead, off: off + int64(n), n: int64(len(part)), buf: part}
		if err := c.do(k, flags, nil); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), nil
}

// WriteAt writes all of p at off.
func (c *Client) WriteAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+MaxPayload)]
		if err := c.do(&call{command: cmdWrite, off: off + int64(n), n: int64(len(part))}, 0, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), nil
}

// Zero makes a range zero. With fast it does so only where that is cheaper than
// writing; EOPNOTSUPP means that it is not, or that the server cannot.
// Deallocating is the server's choice, reading as zero is not.
func (c *Client) Zero(off, n int64, fast bool) error {
	flags := uint16(0)
	if fast {
		flags = cmdFastZero
	}
	if !c.export.has(flagZeroes) || fast && !c.export.has(flagFastZeroes) {
		return unix.EOPNOTSUPP
	}
	for n > 0 {
		part := min(n, maxZero)
		if err := c.do(&call{command: cmdZeroes, off: off, n: part}, flags, nil); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// Flush waits until everything that was written is on the disk.
func (c *Client) Flush() error {
	if !c.export.has(flagFlush) {
		return unix.EOPNOTSUPP
	}
	return c.do(&call{command: cmdFlush}, 0, nil)
}

// Status returns what is known about the range, in at least one extent that
// begins at off; they may cover less than the range. A server that does not
// tell has data everywhere.
func (c *Client) Status(off, n int64) ([]Extent, error) {
	n = min(n, maxZero)
	if !c.export.Allocation {
		return []Extent{{Length: n}}, nil
	}
	k := &call{command: cmdStatus, off: off, n: n}
	if err := c.do(k, 0, nil); err != nil {
		return nil, err
	}
	return k.extents, nil
}

// Close says good-bye and closes the connection. Requests under way fail.
func (c *Client) Close() error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second)) // this also ends a write in progress
	_ = c.send(header(cmdDisc, 0, 0, &call{}), nil)          // it may be gone
	return c.conn.Close()
}

// do carries out a request.
func (c *Client) do(k *call, flags uint16, payload []byte) error {
	if k.off < 0 || k.n < 0 || k.n > c.export.Size-k.off {
		return fmt.Errorf("%d bytes at %d of an export of %d: %w", k.n, k.off, c.export.Size, unix.EINVAL)
	}
	if c.export.ReadOnly() && (k.command == cmdWrite || k.command == cmdZeroes) {
		return unix.EROFS
	}
	k.done = make(chan struct{})
	cookie, err := c.register(k)
	if err != nil {
		return err
	}
	if err := c.send(header(k.command, flags, cookie, k), payload); err != nil {
		_ = c.conn.Close() // which receive notices; it alone ends calls, being in their buffers
	}
	<-k.done
	return k.err
}

// register makes a cookie by which the reply to k is known.
func (c *Client) register(k *call) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return 0, c.broken
	}
	c.last++
	c.calls[c.last] = k
	return c.last, nil
}

func (c *Client) send(header, payload []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if _, err := c.conn.Write(header); err != nil {
		return err
	}
	_, err := c.conn.Write(payload)
	return err
}

// header encodes a request.
func header(command, flags uint16, cookie uint64, k *call) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 28), magicRequest)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, command)
	b = binary.BigEndian.AppendUint64(b, cookie)
	b = binary.BigEndian.AppendUint64(b, uint64(k.off))
	return binary.BigEndian.AppendUint32(b, uint32(k.n))
}

// fail ends every call with err, and those to come.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	for _, k := range c.calls {
		k.err = err
		close(k.done)
	}
	clear(c.calls)
}
