package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

// openFTP retrieves u in passive mode. The path counts from where the login
// leads to; one that begins with %2F from the root (RFC 1738 section 3.2.2). ftps
// is TLS from the first byte, on port 990.
func (c *Client) openFTP(ctx context.Context, u *url.URL, a ask, m *meter) (*part, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(cancel, c.options.Idle, m)
	d := &ftpDialer{ctx: ctx, dialer: c.dialer(u), anyPort: c.anyPort(u)}
	options := []ftp.DialOption{ftp.DialWithDialFunc(d.dial), ftp.DialWithShutTimeout(c.options.Idle)}
	port := "21"
	if u.Scheme == "ftps" {
		port = "990"
		settings, err := c.tls()
		if err != nil {
			watch.end()
			return nil, err
		}
		d.tls = settings.Clone()
		d.tls.ServerName = u.Hostname()
		d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1) // the data connection has to resume it
		options = append(options, ftp.DialWithTLS(d.tls))          // asks for private data connections
	}
	if u.Port() != "" {
		port = u.Port()
	}
	server, err := ftp.Dial(net.JoinHostPort(u.Hostname(), port), options...)
	if err != nil {
		err = failed(ctx, tidy(err)) // before the end, which is not a reason
		watch.end()
		return nil, err
	}
	p, err := retrieve(server, u, a)
	if err != nil {
		err = failed(ctx, tidy(err))
		watch.end()
		return nil, err
	}
	_ = watch.pause(0) // an answer begins when it begins
	p.ReadCloser = &stream{ctx: ctx, from: p.ReadCloser, watch: watch}
	return p, nil
}

// retrieve logs in and asks for the file.
func retrieve(server *ftp.ServerConn, u *url.URL, a ask) (*part, error) {
	user, password := "anonymous", "anonymous@"
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	if err := server.Login(user, password); err != nil {
		return nil, fmt.Errorf("logging in: %w", tidy(err))
	}
	name := strings.TrimPrefix(u.Path, "/")
	p := &part{length: -1, until: -1, at: u}
	size, err := server.FileSize(name)
	if err == nil && size >= 0 { // not every server knows
		p.length, p.until = size, size
	}
	if a.again && err == nil {
		p.version, err = ftpVersion(server, name, p.length)
	}
	if a.again && err != nil {
		if passes(tidy(err)) { // it tells nothing about the file
			return nil, err
		}
		p.version = version{why: "it does not tell size and time of the file (SIZE, MDTM)"}
	}
	if a.from > 0 && (p.version != a.version || p.length != a.length) {
		return nil, ErrChanged
	}
	response, err := server.RetrFrom(name, uint64(a.from))
	if err != nil {
		return nil, err
	}
	p.ReadCloser = &ftpStream{server: server, data: response, want: p.length, got: a.from}
	return p, nil
}

// ftpVersion asks when the file of that size was changed for the last time (RFC 3659
// section 3).
func ftpVersion(server *ftp.ServerConn, name string, size int64) (version, error) {
	at, err := server.GetTime(name)
	if err == nil && size < 0 {
		err = errors.New("the size is negative")
	}
	if err != nil {
		return version{}, err
	}
	return version{modified: at.Format(time.RFC3339Nano)}, nil
}

// ftpStream is a file on its way.
type ftpStream struct {
	server *ftp.ServerConn
	data   *ftp.Response
	want   int64 // -1: unknown
	got    int64 // with what came by other connections
}

// Read reads. A connection that broke ends like a file, so the length has to
// agree; where it is unknown, the server has to say that this was all.
func (s *ftpStream) Read(p []byte) (int, error) {
	n, err := s.data.Read(p)
	s.got += int64(n)
	if s.want >= 0 && s.got > s.want {
		return n, fmt.Errorf("the server sent more than the %d bytes it announced", s.want)
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	closing := s.data.Close()
	switch {
	case s.want >= 0 && s.got != s.want:
		return n, io.ErrUnexpectedEOF
	case s.want < 0 && closing != nil:
		return n, fmt.Errorf("the transfer broke off: %w", tidy(closing))
	}
	return n, io.EOF
}

// Close says goodbye to a server that may be gone.
func (s *ftpStream) Close() error {
	_ = s.server.Quit()
	return nil
}

// tidy makes one line of what a server says, which may be anything. Answers from 400 to
// 499 are of the moment (RFC 959 section 4.2.1).
func tidy(err error) error {
	te, ok := errors.AsType[*textproto.Error](err)
	switch {
	case ok:
	case strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("the server answered %.100q", err.Error())
	default:
		return err
	}
	text := fmt.Errorf("the server answered %d %.100q", te.Code, te.Msg)
	if te.Code >= 400 && te.Code < 500 {
		return &temporary{error: text}
	}
	if te.Code == ftp.StatusFileUnavailable {
		return &noFile{text}
	}
	return text
}

// ftpDialer makes the control connection, and data connections to nobody but the
// host that it leads to: a server must not send us elsewhere.
type ftpDialer struct {
	ctx     context.Context
	dialer  *net.Dialer
	tls     *tls.Config // nil for none
	anyPort bool        // ALLOW_URL names the host without a port
	host    netip.Addr
}

func (d *ftpDialer) dial(network, address string) (net.Conn, error) {
	control := !d.host.IsValid()
	if !control {
		var err error
		if address, err = d.data(address); err != nil {
			return nil, err
		}
	}
	conn, err := d.dialer.DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	if control {
		d.host = conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	}
	// The library knows no context: its end closes what it waits for.
	context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	if d.tls != nil {
		conn = tls.Client(conn, d.tls)
	}
	if control {
		conn = &bounded{conn, maxTalk}
	}
	return conn, nil
}

// data returns where a data connection leads that the server offers at address. The
// server chooses the port: it must not be that of another service, neither by its
// number, nor on this node, where ALLOW_URL may have named one port.
func (d *ftpDialer) data(address string) (string, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil:
		return "", fmt.Errorf("the server offers its data at port %.20q", text)
	case port < firstDataPort:
		return "", fmt.Errorf("%w: the server offers its data at port %d, which is below %d", ErrForbidden, port, firstDataPort)
	case !d.anyPort && reach(d.host) != nil:
		return "", fmt.Errorf("%w: the server offers its data at port %d of this node, and ALLOW_URL names another one", ErrForbidden, port)
	}
	return net.JoinHostPort(d.host.String(), text), nil
}

// firstDataPort is the first port that does not belong to a well-known service
// (RFC 6335 section 6).
const firstDataPort = 1024

// maxTalk bounds all that a server may say beside the file, in bytes.
const maxTalk = 64 << 10

// bounded is a control connection. The library keeps a line, and a reply of many
// lines, whole in memory.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the server said more than %d bytes beside the file", maxTalk)
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
