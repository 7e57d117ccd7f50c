package nbd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// refusal is an option the server knows and refuses, or does not know.
type refusal struct {
	option, code uint32
	text         string
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("the NBD server refused option %d with code %d", r.option, r.code&^uint32(repError))
	if r.text != "" {
		s += ": " + r.text
	}
	return s
}

// Handshake negotiates the transmission phase for the export without a name. It
// asks for chunked replies and for what is allocated, and does without.
func Handshake(conn io.ReadWriter) (Export, error) {
	if err := greet(conn); err != nil {
		return Export{}, fmt.Errorf("greeting the NBD server: %w", gone(err))
	}
	h := &negotiator{conn: conn}
	e, err := h.export()
	if err != nil {
		return Export{}, fmt.Errorf("negotiating with the NBD server: %w", gone(err))
	}
	return e, nil
}

// greet exchanges the flags of the fixed newstyle.
func greet(conn io.ReadWriter) error {
	var hello struct {
		Init, Option uint64
		Flags        uint16
	}
	if err := binary.Read(conn, binary.BigEndian, &hello); err != nil {
		return err
	}
	if hello.Init != magicInit || hello.Option != magicOption || hello.Flags&fixedNewstyle == 0 {
		return fmt.Errorf("%w: it does not greet as one", ErrProtocol)
	}
	return binary.Write(conn, binary.BigEndian, uint32(hello.Flags&(fixedNewstyle|noZeroes)))
}

// negotiator negotiates options.
type negotiator struct{ conn io.ReadWriter }

// export goes through the options in the order they depend on each other.
func (h *negotiator) export() (Export, error) {
	var e Export
	err := h.ask(optStructured, nil, nil)
	if e.Structured = err == nil; e.Structured {
		err = h.ask(optSetMetaContext, allocationQuery(), e.metaContext)
	}
	if _, refused := errors.AsType[*refusal](err); err != nil && !refused {
		return Export{}, err
	}
	// An empty name, and no request for information beside the export's.
	if err := h.ask(optGo, make([]byte, 6), e.info); err != nil {
		return Export{}, err
	}
	if !e.has(flagHasFlags) {
		return Export{}, fmt.Errorf("%w: it does not describe the export", ErrProtocol)
	}
	return e, nil
}

// allocationQuery selects base:allocation of the export without a name.
func allocationQuery() []byte {
	const query = "base:allocation"
	b := make([]byte, 4, 32) // the length of the name
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(query)))
	return append(b, query...)
}

// metaContext takes the reply to allocationQuery.
func (e *Export) metaContext(kind uint32, data []byte) error {
	if kind != repMetaContext || len(data) < 4 || e.Allocation {
		return fmt.Errorf("%w: reply %d to a query", ErrProtocol, kind)
	}
	e.Context, e.Allocation = binary.BigEndian.Uint32(data), true
	return nil
}

// info takes the information about the export; other kinds are hints.
func (e *Export) info(kind uint32, data []byte) error {
	if kind != repInfo || len(data) < 2 {
		return fmt.Errorf("%w: reply %d instead of information", ErrProtocol, kind)
	}
	if binary.BigEndian.Uint16(data) != infoExport {
		return nil
	}
	if len(data) != 12 {
		return fmt.Errorf("%w: %d bytes about the export", ErrProtocol, len(data))
	}
	size := binary.BigEndian.Uint64(data[2:])
	if size > maxSize {
		return fmt.Errorf("%w: an export of %d bytes", ErrProtocol, size)
	}
	e.Size, e.Flags = int64(size), binary.BigEndian.Uint16(data[10:])
	return nil
}

// ask sends an option and hands what comes before the acknowledgement to take.
func (h *negotiator) ask(option uint32, data []byte, take func(kind uint32, data []byte) error) error {
	b := binary.BigEndian.AppendUint64(nil, magicOption)
	b = binary.BigEndian.AppendUint32(b, option)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	if _, err := h.conn.Write(append(b, data...)); err != nil {
		return err
	}
	for range maxReplies {
		kind, data, err := h.reply(option)
		switch {
		case err != nil:
			return err
		case kind == repAck:
			return nil
		case kind&repError != 0:
			return &refusal{option, kind, report.Clean(string(data))}
		case take == nil:
			return fmt.Errorf("%w: reply %d to option %d", ErrProtocol, kind, option)
		}
		if err := take(kind, data); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: it says too much about option %d", ErrProtocol, option)
}

// reply reads one reply to the option.
func (h *negotiator) reply(option uint32) (kind uint32, data []byte, err error) {
	var head struct {
		Magic              uint64
		Option, Kind, Size uint32
	}
	if err := binary.Read(h.conn, binary.BigEndian, &head); err != nil {
		return 0, nil, err
	}
	if head.Magic != magicReply || head.Option != option || head.Size > maxOption {
		return 0, nil, fmt.Errorf("%w: no reply to option %d", ErrProtocol, option)
	}
	data = make([]byte, head.Size)
	_, err = io.ReadFull(h.conn, data)
	return head.Kind, data, err
}

// gone names the end of a connection, however it comes about.
func gone(err error) error {
	switch {
	case errors.Is(err, ErrProtocol):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, unix.ECONNRESET):
		return ErrGone
	}
	if _, ok := errors.AsType[*refusal](err); ok {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}
