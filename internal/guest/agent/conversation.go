package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// contentsFile lists what the helper image holds; its digest is in the manifest
// on the host.
const contentsFile = "/etc/snf-image/contents.json"

// conversation is what is said between agent and host, in the order of package
// channel.
type conversation struct {
	w     io.Writer
	r     *channel.Reader
	nonce string
}

// dial opens the port to the host and says hello.
func dial(events *uevents, release string) (*conversation, error) {
	nonce, err := readNonce()
	if err != nil {
		return nil, err
	}
	contents, err := os.ReadFile(contentsFile)
	if err != nil {
		return nil, fmt.Errorf("reading the list of contents: %w", err)
	}
	port, err := openPort(events, hostPort)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(contents)
	c := &conversation{w: port, r: channel.NewAgentReader(port), nonce: nonce}
	return c, c.send(channel.Hello, channel.HelloBody{
		Version: channel.Version, Release: release, Nonce: nonce, Digest: hex.EncodeToString(digest[:]),
	})
}

// readNonce takes the nonce of this run from the kernel command line.
func readNonce() (string, error) {
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return "", err
	}
	for word := range strings.FieldsSeq(string(b)) {
		if nonce, ok := strings.CutPrefix(word, "snf.nonce="); ok {
			return nonce, nil
		}
	}
	return "", errors.New("the kernel command line has no snf.nonce")
}

func (c *conversation) send(t channel.Type, body any) error {
	return channel.Write(c.w, t, body, channel.MaxUp)
}

// receive reads the next message, which must be of type want, into body.
func (c *conversation) receive(want channel.Type, body any) error {
	m, err := c.r.Read()
	if err != nil {
		return fmt.Errorf("waiting for the %s message: %w", want, err)
	}
	if m.Type != want {
		return fmt.Errorf("the host sent a message %q, not %q", m.Type, want)
	}
	if body == nil {
		return nil
	}
	if err := json.Unmarshal(m.Body, body); err != nil {
		return fmt.Errorf("reading the %s message: %w", want, err)
	}
	return nil
}

func (c *conversation) plan() (*spec.Plan, error) {
	p := &spec.Plan{}
	if err := c.receive(channel.Plan, p); err != nil {
		return nil, err
	}
	if p.Nonce != c.nonce {
		return nil, errors.New("the plan is of another run")
	}
	return p, nil
}

// awaitDisk waits until the disk is ready, and returns how large the image on it is.
func (c *conversation) awaitDisk() (channel.DiskReadyBody, error) {
	var ready channel.DiskReadyBody
	return ready, c.receive(channel.DiskReady, &ready)
}

func (c *conversation) credentials() (*spec.Credentials, error) {
	creds := &spec.Credentials{}
	return creds, c.receive(channel.Credentials, creds)
}

func (c *conversation) inspected(i *report.Inspection) error {
	return c.send(channel.Inspected, boundInspection(*i))
}

// event sends an event. That it could not be sent shows when the result cannot
// be sent either.
func (c *conversation) event(e report.Event) {
	_ = c.send(channel.Event, boundEvent(e))
}

func (c *conversation) result(r report.Result) error {
	return c.send(channel.Result, boundResult(r))
}
