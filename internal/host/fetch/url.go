package fetch

import (
	"errors"
	"net/url"
	"strings"
)

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
// fragment. Text that is not a URL stays as it is.
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
