package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// openFile opens a file that ALLOW_URL names. Nothing but a regular file has an end
// that can be relied on.
func (c *Client) openFile(u *url.URL) (*part, error) {
	f, err := c.allowedFile(u)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{ReadCloser: f, length: st.Size(), until: st.Size(), at: u}, nil
}

// allowedFile opens the file by the first pattern that names it.
func (c *Client) allowedFile(u *url.URL) (*os.File, error) {
	for _, p := range c.allow {
		if p.matches(u) {
			return p.open(path.Clean("/" + u.Path))
		}
	}
	return nil, errScheme
}

// open opens the file name, which the pattern stands for. A link must not lead out of
// the directory that the pattern begins with: others may be allowed to write there.
func (p pattern) open(name string) (*os.File, error) {
	fixed, _, _ := strings.Cut(p.path, "*")
	dir := fixed[:strings.LastIndexByte(fixed, '/')+1]
	top, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(top) //nolint:errcheck // only a place
	fd, err := unix.Openat2(top, "./"+strings.TrimPrefix(name, dir), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.EXDEV) {
		return nil, fmt.Errorf("%w: it is a link that leads out of what ALLOW_URL allows", ErrForbidden)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), ""), nil
}
