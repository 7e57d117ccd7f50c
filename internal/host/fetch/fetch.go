// Package fetch opens a URL as one plain stream of bytes.
//
// One GET, or one RETR, for each URL: nothing is asked before, nothing is asked
// again, so a server that answers once is enough. A stream that ends before its
// declared length is an error, never an end. URLs come from an instance's owner,
// and the node stands where they do not: files, loopback and link-local addresses
// are out of reach, by whatever name or redirect, unless ALLOW_URL says otherwise.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"snf-image/internal/host/ownership"
)

// Options are what the administrator of the node decides.
type Options struct {
	// Allow are patterns of URLs that may reach files, loopback and link-local
	// addresses (ALLOW_URL).
	Allow []string
	// HTTPProxy, HTTPSProxy and NoProxy mean what curl(1) makes of the
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
}

// Client opens URLs.
type Client struct {
	options Options
	allow   []pattern
	proxy   func(*url.URL) (*url.URL, error)
	// tls returns the settings of TLS connections. They are made for the first one, so
	// that a CAFile that is unusable keeps nobody from anything else.
	tls func() (*tls.Config, error)
}

// idle is the default of Options.Idle and Options.Window.
const idle = time.Minute

// New returns a Client, or returns what is wrong with the options.
func New(o Options) (*Client, error) {
	if o.Idle == 0 {
		o.Idle = idle
	}
	if o.Window == 0 {
		o.Window = idle
		if o.Limit != 0 {
			o.Window = min(idle, o.Limit/2)
		}
	}
	c := &Client{options: o, tls: sync.OnceValues(func() (*tls.Config, error) { return trusting(o.CAFile) })}
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

// ErrAuthorities is the error of a CAFile that cannot be used.
var ErrAuthorities = errors.New("TLS_CA_FILE")

// Remedy returns what to do about an error of Check, Open or a Stream; empty for what
// has none of its own.
func Remedy(err error) string {
	switch {
	case errors.Is(err, ErrForbidden):
		return "name another server, or let ALLOW_URL in the configuration allow it"
	case errors.Is(err, ErrSlow):
		return "name a faster server, or raise TRANSFER_TIMEOUT or lower TRANSFER_MIN_RATE in the configuration"
	case errors.Is(err, ErrAuthorities):
		return "fix TLS_CA_FILE in the configuration, or unset it"
	}
	return ""
}

// trusting returns settings of TLS that trust the authorities of the node and, unless it
// is empty, those of file.
func trusting(file string) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return settings, nil
	}
	roots, err := authorities(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAuthorities, err)
	}
	settings.RootCAs = roots
	return settings, nil
}

// authorities returns the certificates of file beside those of the node.
func authorities(file string) (*x509.CertPool, error) {
	if err := ownership.Check(file); errors.Is(err, ownership.ErrOthers) {
		return nil, fmt.Errorf("%w; %s", err, ownership.Remedy)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return roots, nil
}

// Stream is what a URL delivers.
type Stream struct {
	io.ReadCloser
	Length int64 // as declared; -1 when it is not
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

// Check returns what is wrong with a URL as far as its text shows. It
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

// Open opens a URL. Its errors hold neither password nor query. Reading from the
// stream ends with an error when ctx ends, nothing comes for a while, or it takes too
// long (ErrSlow).
func (c *Client) Open(ctx context.Context, text string) (*Stream, error) {
	if err := c.Check(text); err != nil {
		return nil, err
	}
	u, err := parse(text)
	if err != nil {
		return nil, err
	}
	if c.options.Limit == 0 {
		return c.open(ctx, u)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Limit, fmt.Errorf("%w: it is not done after %s", ErrSlow, c.options.Limit))
	s, err := c.open(ctx, u)
	if err != nil {
		cancel()
		return nil, err
	}
	s.ReadCloser = &limited{s.ReadCloser, cancel}
	return s, nil
}

func (c *Client) open(ctx context.Context, u *url.URL) (*Stream, error) {
	switch u.Scheme {
	case "ftp", "ftps":
		return c.openFTP(ctx, u)
	case "file":
		return c.openFile(u)
	}
	return c.openHTTP(ctx, u)
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

// parse parses a URL and never quotes it.
func parse(text string) (*url.URL, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, errors.New("the URL has white space or control characters in it")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return nil, errors.New("it is not a URL")
	}
	// Decoded they would reach an FTP server as lines of their own.
	password, _ := u.User.Password()
	for _, part := range []string{u.Path, u.User.Username(), password} {
		if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errors.New("the URL has encoded control characters in it")
		}
	}
	u.Scheme = strings.ToLower(u.Scheme)
	return u, nil
}

// Mask returns a URL for logs and reports: without user, password, query and
// fragment. What is no URL stays as it is.
func Mask(text string) string {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return scheme + "://***"
	}
	masked := u.Scheme + "://"
	if u.User != nil {
		masked += "***@"
	}
	masked += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		masked += "?***"
	}
	return masked
}

// dialer connects to addresses that u may reach.
func (c *Client) dialer(u *url.URL) *net.Dialer {
	d := new(net.Dialer)
	if !c.allowed(u) {
		d.Control = checkAddress
	}
	return d
}
