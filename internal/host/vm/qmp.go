package vm

import (
	"bufio"
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"time"

	"snf-image/internal/report"
)

// guestShutdown is QMP's reason for a power-off by the guest (QAPI
// ShutdownCause).
const guestShutdown = "guest-shutdown"

// monitor listens to QEMU's events: they alone tell a power-off from a reset
// or a panic, for which QEMU exits with 0 as well.
type monitor struct {
	conn   net.Conn
	done   chan struct{}
	reason string
	failed *DiskError // the first, of those that lost data if there is one
}

// DiskError is a request of the guest that a disk failed (QAPI BLOCK_IO_ERROR).
type DiskError struct {
	Disk   int    // in the order of Config.Disks
	Write  bool   // or a flush, which is one of many
	Reason string // QEMU's text, escaped and bounded
}

func watchMonitor(conn net.Conn) *monitor {
	m := &monitor{conn: conn, done: make(chan struct{}), reason: "QEMU exited without giving a reason"}
	go m.listen()
	return m
}

// listen does the QMP handshake and waits for SHUTDOWN. QEMU may be in the
// hands of the image: a line longer than bufio.MaxScanTokenSize ends it.
func (m *monitor) listen() {
	defer close(m.done)
	if _, err := m.conn.Write([]byte(`{"execute":"qmp_capabilities"}` + "\n")); err != nil {
		return
	}
	lines := bufio.NewScanner(m.conn)
	for lines.Scan() {
		var e struct {
			Event string `json:"event"`
			Data  struct {
				Reason string `json:"reason"`
				Node   string `json:"node-name"`
				Does   string `json:"operation"`
			} `json:"data"`
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch number, isDisk := strings.CutPrefix(e.Data.Node, nodePrefix); {
		case e.Event == "SHUTDOWN":
			m.reason = e.Data.Reason
		case e.Event == "BLOCK_IO_ERROR" && isDisk:
			n, err := strconv.ParseUint(number, 10, 16)
			write := e.Data.Does != "read"
			if err == nil && (m.failed == nil || write && !m.failed.Write) {
				m.failed = &DiskError{int(n), write, report.Clean(e.Data.Reason)}
			}
		}
	}
}

// end returns the reason of the shutdown, once QEMU is gone.
func (m *monitor) end() string {
	select {
	case <-m.done:
	case <-time.After(time.Second): // a leaked descriptor must not hang us
		_ = m.conn.Close()
		<-m.done
	}
	_ = m.conn.Close()
	return m.reason
}
