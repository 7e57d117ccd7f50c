package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxHeader bounds the head of an answer in bytes.
const maxHeader = 64 << 10

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// openHTTP gets u, or where that redirects to.
func (c *Client) openHTTP(ctx context.Context, u *url.URL, a ask, m *meter) (*part, error) {
	for hop := range maxRedirects + 1 {
		t, err := c.transport(u)
		if err != nil {
			return nil, err
		}
		p, next, err := c.get(ctx, t, u, a, m)
		if err != nil && hop > 0 {
			err = fmt.Errorf("%w (redirected to %s)", err, Mask(u.String()))
		}
		if err != nil || p != nil {
			return p, err
		}
		if err := c.follow(u, next); err != nil {
			return nil, fmt.Errorf("it redirects to %s: %w", Mask(next.String()), err)
		}
		u = next
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// follow checks a redirect from one URL to the next.
func (c *Client) follow(from, to *url.URL) error {
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return errors.New("only http and https are followed")
	case from.Scheme == "https" && to.Scheme == "http":
		return errors.New("from https, http is not followed")
	}
	return c.Check(to.String())
}

// get sends one request. It returns the answer, or where it is to be found.
func (c *Client) get(ctx context.Context, t *http.Transport, u *url.URL, a ask, m *meter) (*part, *url.URL, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(cancel, c.options.Idle, m)
	request, err := c.request(ctx, u, a)
	if err != nil {
		watch.end()
		return nil, nil, bare(err)
	}
	response, err := t.RoundTrip(request)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server closed the connection without an answer: %w", err)
	}
	if err != nil {
		err = failed(ctx, err)
		watch.end()
		return nil, nil, err
	}
	_ = watch.pause(0) // an answer begins when it begins
	body := &stream{ctx: ctx, from: response.Body, watch: watch}
	next, err := a.judge(response, u)
	if err != nil || next != nil {
		return nil, next, errors.Join(err, body.Close())
	}
	p := &part{ReadCloser: body, version: versionOf(response.Header), length: response.ContentLength, until: response.ContentLength, at: u}
	p.ranges = p.version.etag != "" && p.length > 0 && (a.from > 0 || strings.EqualFold(response.Header.Get("Accept-Ranges"), "bytes"))
	if a.from > 0 {
		got, err := a.rest(response)
		if err != nil {
			return nil, nil, errors.Join(err, body.Close())
		}
		p.length, p.until = got.total, got.last+1
	}
	return p, nil, nil
}

// request makes the request for a.
func (c *Client) request(ctx context.Context, u *url.URL, a ask) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", c.options.Agent)
	if a.again {
		r.Header.Set("Accept-Encoding", "identity") // a compression made on the way has no ranges
	}
	if a.from > 0 {
		r.Header.Set("Range", a.span())
		r.Header.Set("If-Range", a.version.validator())
	}
	if password, ok := u.User.Password(); ok || u.User.Username() != "" {
		r.SetBasicAuth(u.User.Username(), password)
	}
	return r, nil
}

// transport makes one connection, for one request. HTTP/1.1 is all that is needed.
func (c *Client) transport(u *url.URL) (*http.Transport, error) {
	proxy, err := c.proxy(u)
	if err != nil {
		return nil, fmt.Errorf("the proxy's URL is invalid: %w", bare(err))
	}
	dialer := c.dialer(u)
	if proxy != nil {
		dialer.Control = nil // the proxy is the administrator's choice
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !c.allowed(u) {
			if err := reach(ip); err != nil {
				return nil, err
			}
		}
	}
	t := &http.Transport{
		Proxy: http.ProxyURL(proxy), DialContext: dialer.DialContext,
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}
	if u.Scheme == "https" || proxy != nil && proxy.Scheme == "https" {
		settings, err := c.tls()
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = settings.Clone()
	}
	return t, nil
}

// judge returns the meaning of an answer: nothing where it is the one that was asked for,
// the URL of a redirect, or an error.
func (a ask) judge(r *http.Response, u *url.URL) (*url.URL, error) {
	switch code := r.StatusCode; {
	case code == http.StatusOK && a.from == 0, code == http.StatusPartialContent && a.from > 0:
		return nil, plainly(r.Header)
	case code == http.StatusOK && a.version.holds(r.Header):
		return nil, misranged("the server begins from the start again, instead of sending the rest")
	case code == http.StatusOK, a.from > 0 && (code == http.StatusRequestedRangeNotSatisfiable || code == http.StatusPreconditionFailed):
		return nil, ErrChanged
	case slices.Contains(redirects, code):
		return redirect(r.Header.Get("Location"), u)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return nil, &temporary{status(code), retryAfter(r.Header.Get("Retry-After"), time.Now())}
	default:
		return nil, status(code)
	}
}

// redirects are the statuses of answers that are somewhere else.
var redirects = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// plainly refuses an answer with another encoding of the file than its own: its length
// and its ranges would be of something else.
func plainly(h http.Header) error {
	for _, coding := range h.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return fmt.Errorf("%w as %.40q, which was not asked for", errEncoded, coding)
		}
	}
	return nil
}

// status is the error of an answer without the file.
type status int

func (s status) Error() string {
	return fmt.Sprintf("the server answered %d %s", int(s), http.StatusText(int(s)))
}

// gone reports whether err says that the file is not at this address, or not for us.
func gone(err error) bool {
	s, ok := errors.AsType[status](err)
	return ok && s >= 400 && s < 500
}

// Missing reports whether err says that a server has no such file, or not for us.
func Missing(err error) bool {
	_, passing := errors.AsType[*temporary](err)
	_, none := errors.AsType[*noFile](err)
	return !passing && (gone(err) || none)
}

// redirect resolves a Location. Credentials stay with their host.
func redirect(location string, u *url.URL) (*url.URL, error) {
	to, err := u.Parse(location)
	if err != nil || location == "" {
		return nil, errors.New("the server redirects to nowhere")
	}
	if to.User == nil && to.Scheme == u.Scheme && to.Host == u.Host {
		to.User = u.User
	}
	return to, nil
}

// because says why a request or a stream broke: the end of ctx, if that is why.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return bare(err)
}

// bare drops the URL that an error of net/http repeats, and cuts long errors: some quote
// the server's words at any length.
func bare(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if text := err.Error(); len(text) > maxText {
		return fmt.Errorf("%s …", strings.ToValidUTF8(text[:maxText], ""))
	}
	return err
}

// maxText bounds an error in bytes.
const maxText = 300

// stream is a body that is watched.
type stream struct {
	ctx   context.Context
	from  io.ReadCloser
	watch *watch
}

// Read reads, and takes nothing but the end of the stream for its end.
func (s *stream) Read(p []byte) (int, error) {
	s.watch.start()
	n, err := s.from.Read(p)
	slow := s.watch.pause(n)
	switch {
	case slow != nil && !errors.Is(err, io.EOF):
		return n, slow
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, &temporary{error: errBroken}
	}
	return n, failed(s.ctx, fmt.Errorf("%w: %w", errBroken, err))
}

// Close ends the transfer.
func (s *stream) Close() error {
	err := s.from.Close()
	s.watch.end()
	return err
}
