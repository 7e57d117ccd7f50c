// Package fetch opens a URL as one stream of bytes.
//
// Open sends one GET, or one RETR: nothing is asked before, nothing is asked again, so a
// server that answers once is enough. Download is for files that stay: it asks again, and
// for the rest where a connection breaks, and delivers bytes of one version of the file
// alone. A stream that ends before its declared length is an error, never an end. URLs
// come from an instance's owner, and the node stands where they do not: files, loopback
// and link-local addresses are out of reach, by whatever name, redirect or resumption,
// unless ALLOW_URL says otherwise.
//
// It is large because http and ftp are here: they share patience, limits and the rules
// about addresses.
package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Options are the decisions of the node's administrator.
type Options struct {
	// Allow are patterns of URLs that may reach files, loopback and link-local
	// addresses (ALLOW_URL).
	Allow []string
	// HTTPProxy, HTTPSProxy and NoProxy have the meaning that curl(1) gives to the
	// environment variables of these names.
	HTTPProxy, HTTPSProxy, NoProxy string
	// CAFile has certificates, in PEM, of authorities that are trusted beside the
	// node's own; empty for none.
	CAFile string
	// Agent is the name this program gives itself, as in RFC 9110 section 10.1.5.
	Agent string
	// Idle is how long the answer, with the connection, and then each next byte may
	// take; 0 means a minute.
	Idle time.Duration
	// Limit is how long a whole transfer may take; 0 is for ever.
	Limit time.Duration
	// Rate is how many bytes a second a server has to send, on average of each Window
	// in which it is waited for; 0 means no limit. 0 as Window means a minute, or half of
	// Limit where that is shorter: else a short limit would leave no window to judge.
	Rate   int64
	Window time.Duration
	// Pause is how long to wait before a server is asked again, the first time; 0 means a
	// second.
	Pause time.Duration
}

// Client opens URLs.
type Client struct {
	options Options
	allow   []pattern
	proxy   func(*url.URL) (*url.URL, error)
	// tls returns the settings of TLS connections. They are made for the first one, so
	// that a CAFile that is unusable keeps nobody from anything else.
	tls func() (*tls.Config, error)
	// pieces is when and how a file is fetched in pieces.
	pieces pieces
}

// idle is the default of Options.Idle and Options.Window.
const idle = time.Minute

// New returns a Client, or an error that names the wrong option.
func New(o Options) (*Client, error) {
	if o.Idle == 0 {
		o.Idle = idle
	}
	o.Pause = cmp.Or(o.Pause, firstPause)
	if o.Window == 0 {
		o.Window = idle
		if o.Limit != 0 {
			o.Window = min(idle, o.Limit/2)
		}
	}
	c := &Client{options: o, pieces: defaultPieces(), tls: sync.OnceValues(func() (*tls.Config, error) { return trusting(o.CAFile) })}
	for _, text := range o.Allow {
		p, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("ALLOW_URL: %w", err)
		}
		c.allow = append(c.allow, p)
	}
	for name, text := range map[string]string{"HTTP_PROXY": o.HTTPProxy, "HTTPS_PROXY": o.HTTPSProxy} {
		if !usableProxy(text) {
			return nil, fmt.Errorf("%s: it is neither the URL of a proxy nor HOST:PORT", name)
		}
	}
	proxies := httpproxy.Config{HTTPProxy: o.HTTPProxy, HTTPSProxy: o.HTTPSProxy, NoProxy: o.NoProxy}
	c.proxy = proxies.ProxyFunc()
	return c, nil
}

// usableProxy reports whether requests would go to the proxy: one that is not
// understood would be passed by in silence.
func usableProxy(text string) bool {
	if text == "" {
		return true
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// Remedy returns the remedy for an error of Check, Open, Download or a Stream; empty
// for an error without a remedy of its own.
func Remedy(err error) string {
	if _, ok := errors.AsType[*rangeError](err); ok {
		return "have the server, or the proxy before it, answer requests for ranges (RFC 9110, section 14) or refuse them, or name another server"
	}
	switch {
	case errors.Is(err, ErrForbidden):
		return "name another server, or let ALLOW_URL in the configuration allow it"
	case errors.Is(err, ErrChanged):
		return "start again, and leave the file and its address alone meanwhile"
	case errors.Is(err, errFinal):
		return "start again, or have the server send a strong ETag (http) or know SIZE and MDTM (ftp), so that it can be resumed"
	case errors.Is(err, errEncoded):
		return "have the server send the file as it is stored, without Content-Encoding"
	case errors.Is(err, errBusy):
		return "start again later, or name another server"
	case errors.Is(err, ErrSlow):
		return "name a faster server, or raise TRANSFER_TIMEOUT or lower TRANSFER_MIN_RATE in the configuration"
	case errors.Is(err, ErrAuthorities):
		return "fix TLS_CA_FILE in the configuration, or unset it"
	}
	return ""
}

// Stream is the content of a URL.
type Stream struct {
	io.ReadCloser
	Length  int64  // as declared; -1 when it is not
	At      string // the URL that redirects led to
	resumed *atomic.Int32
}

// Resumed returns how often a Download was resumed so far.
func (s *Stream) Resumed() int {
	if s.resumed == nil {
		return 0
	}
	return int(s.resumed.Load())
}

// Schemes are those that Open knows.
func Schemes() []string { return []string{"http", "https", "ftp", "ftps"} }

// IsURL reports whether text is one for Open, by its scheme alone.
func IsURL(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	for _, s := range Schemes() {
		if ok && strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

// Check returns the error in a URL as far as its text shows one. It
// resolves no name and connects to nothing.
func (c *Client) Check(text string) error {
	u, err := parse(text)
	if err != nil {
		return err
	}
	if !IsURL(text) {
		if u.Scheme == "file" && c.allowed(u) {
			return nil
		}
		return errScheme
	}
	if u.Hostname() == "" {
		return errors.New("the URL names no host")
	}
	return c.checkName(u)
}

// errScheme refuses every other scheme, a file that ALLOW_URL does not name included.
var errScheme = fmt.Errorf("%w: only http, https, ftp and ftps URLs are allowed", ErrForbidden)

// Open opens a URL, and asks once. Its errors hold neither password nor query. Reading
// from the stream ends with an error when ctx ends, nothing comes for a while, or it takes
// too long (ErrSlow).
func (c *Client) Open(ctx context.Context, text string) (*Stream, error) {
	u, err := c.checked(text)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.limit(ctx)
	p, err := c.part(ctx, u, ask{}, c.meter())
	if err != nil {
		cancel()
		return nil, err
	}
	return &Stream{ReadCloser: &limited{p.ReadCloser, cancel}, Length: p.length, At: p.at.String()}, nil
}

// checked returns a URL that Check finds nothing wrong with.
func (c *Client) checked(text string) (*url.URL, error) {
	if err := c.Check(text); err != nil {
		return nil, err
	}
	return parse(text)
}

// limit returns a context for a whole transfer.
func (c *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.options.Limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.options.Limit, fmt.Errorf("%w: it is not done after %s", ErrSlow, c.options.Limit))
}

// limited is a stream with an overall limit, which ends with it.
type limited struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the transfer.
func (l *limited) Close() error {
	defer l.cancel()
	return l.ReadCloser.Close()
}

// dialer connects to addresses that u may reach.
func (c *Client) dialer(u *url.URL) *net.Dialer {
	d := new(net.Dialer)
	if !c.allowed(u) {
		d.Control = checkAddress
	}
	return d
}
