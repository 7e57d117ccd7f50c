package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Errors of transfers that have a remedy of their own.
var (
	// errBroken is a transfer that ended early.
	errBroken = errors.New("the transfer broke off before its end")
	// errFinal is one that cannot be resumed.
	errFinal = errors.New("the server does not let it be resumed")
	// errEncoded is an answer with another encoding of the file than its own.
	errEncoded = errors.New("the server sent it encoded")
	// errBusy is a server that nobody waits for.
	errBusy = errors.New("asks to be left alone")
)

// noFile is an FTP server without the file.
type noFile struct{ error }

// temporary is an error that may be over soon: the same request can succeed later.
type temporary struct {
	error
	after time.Duration // how long the server wants to be left alone; 0 when it does not say
}

// Unwrap returns the error.
func (t *temporary) Unwrap() error { return t.error }

// failed makes one short error of err, which ended a request or a stream of ctx, and
// marks it as temporary where it may be over soon.
func failed(ctx context.Context, err error) error {
	cause := because(ctx, err)
	if errors.Is(cause, errIdle) || ctx.Err() == nil && passes(err) {
		return &temporary{error: cause}
	}
	return cause
}

// passes reports whether err is of a network or a server that may be back soon.
func passes(err error) bool {
	if _, ok := errors.AsType[*temporary](err); ok {
		return true
	}
	if errors.Is(err, ErrForbidden) {
		return false
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return !name.IsNotFound
	}
	op, ok := errors.AsType[*net.OpError](err)
	if ok && (op.Op == "remote error" || op.Op == "local error") { // of TLS
		return false
	}
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
