package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxHeader bounds the head of an answer in bytes.
const maxHeader = 64 << 10

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// openHTTP gets u, or where that redirects to.
func (c *Client) openHTTP(ctx context.Context, u *url.URL) (*Stream, error) {
	for hop := range maxRedirects + 1 {
		s, next, err := c.get(ctx, u)
		if err != nil && hop > 0 {
			err = fmt.Errorf("%w (redirected to %s)", err, Mask(u.String()))
		}
		if err != nil || s != nil {
			return s, err
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

// get sends one request. It returns a stream, or where it is to be found.
func (c *Client) get(ctx context.Context, u *url.URL) (*Stream, *url.URL, error) {
	transport, err := c.transport(u)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(cancel, c.options)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		watch.end()
		return nil, nil, bare(err)
	}
	request.Header.Set("User-Agent", c.options.Agent)
	if password, ok := u.User.Password(); ok || u.User.Username() != "" {
		request.SetBasicAuth(u.User.Username(), password)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		err = because(ctx, err)
		watch.end()
		return nil, nil, err
	}
	_ = watch.pause(0) // an answer begins when it begins
	body := &stream{ctx: ctx, from: response.Body, watch: watch}
	next, err := judge(response, u)
	if err != nil || next != nil {
		return nil, next, errors.Join(err, body.Close())
	}
	return &Stream{body, response.ContentLength}, nil, nil
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

// judge returns what an answer means: a stream (nil, nil), another URL or an error.
func judge(r *http.Response, u *url.URL) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusOK:
		if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
			return nil, fmt.Errorf("the server sent it encoded as %.40q, which was not asked for", coding)
		}
		return nil, nil
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return redirect(r.Header.Get("Location"), u)
	}
	return nil, fmt.Errorf("the server answered %d %s", r.StatusCode, http.StatusText(r.StatusCode))
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

// bare drops the URL that an error of net/http repeats. Some quote what the server
// said, at any length.
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
		return n, errors.New("the transfer broke off before its end")
	}
	return n, because(s.ctx, err)
}

// Close ends the transfer.
func (s *stream) Close() error {
	err := s.from.Close()
	s.watch.end()
	return err
}
