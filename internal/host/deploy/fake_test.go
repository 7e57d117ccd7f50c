package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/channel"
	"snf-image/internal/host/confine"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// TestMain lets the test binary be what a deployment starts: the image worker, and a
// QEMU whose helper is the fake one.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == confine.Name:
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	case os.Args[0] == worker.Name:
		if err := worker.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case slices.Contains(os.Args, "snf-image-helper"):
		if err := fake(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, "fake helper:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeContents is the digest that the fake helper says and the manifest has.
var fakeContents = strings.Repeat("c0", 32)

// marker is what the fake helper writes at offset 0 of the first disk, or of its head.
const marker = "customized by the fake helper"

// failsWith begins a name of the instance, or an image, whose helper fails.
const failsWith = "fail: "

// waits begins a disk whose helper looks at it for ever.
const waits = "wait: "

// fakeHelper is QEMU and agent in one.
type fakeHelper struct {
	conn  net.Conn
	in    *channel.Reader
	plan  spec.Plan
	ready channel.DiskReadyBody
	disks []*os.File // body, head, tail
	shell *os.File   // nil for none
}

// fake plays the helper that QEMU was asked to boot.
func fake(args []string) error {
	h := new(fakeHelper)
	text := strings.Join(args, " ")
	fd := func(pattern string) *os.File {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			return nil
		}
		n, _ := strconv.Atoi(m[1])
		return os.NewFile(uintptr(n), pattern)
	}
	for i := 1; ; i++ {
		f := fd(fmt.Sprintf(`fd=(\d+),set=%d\b`, i))
		if f == nil {
			break
		}
		h.disks = append(h.disks, f)
	}
	h.shell = fd(`id=shell,fd=(\d+)`)
	var err error
	if h.conn, err = net.FileConn(fd(`id=channel,fd=(\d+)`)); err != nil {
		return err
	}
	h.in = channel.NewAgentReader(h.conn)
	nonce := regexp.MustCompile(`snf\.nonce=(\w+)`).FindStringSubmatch(text)[1]
	if err := h.converse(nonce); err != nil {
		return err
	}
	_, err = io.WriteString(fd(`id=monitor,fd=(\d+)`), `{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}`+"\n")
	return err
}

func (h *fakeHelper) send(t channel.Type, body any) error {
	return channel.Write(h.conn, t, body, channel.MaxUp)
}

func (h *fakeHelper) receive(t channel.Type, body any) error {
	m, err := h.in.Read()
	if err != nil {
		return err
	}
	if m.Type != t {
		return fmt.Errorf("%s came in place of %s", m.Type, t)
	}
	if body == nil {
		return nil
	}
	return json.Unmarshal(m.Body, body)
}

func (h *fakeHelper) converse(nonce string) error {
	err := h.send(channel.Hello, channel.HelloBody{Version: channel.Version, Nonce: nonce, Digest: fakeContents})
	if err == nil {
		err = h.receive(channel.Plan, &h.plan)
	}
	if err == nil {
		err = h.receive(channel.DiskReady, &h.ready)
	}
	if err != nil {
		return err
	}
	result := report.Result{Nonce: nonce}
	if err := h.work(&result); err != nil {
		result.Error, result.Remedy = err.Error(), "look at the fake helper"
	}
	return h.send(channel.Result, result)
}

// work does what the mode asks for.
func (h *fakeHelper) work(result *report.Result) error {
	if h.plan.Mode == spec.ModeShell {
		return h.echo()
	}
	page, err := read(h.disks[0], 0)
	if err != nil {
		return err
	}
	if text, fails := strings.CutPrefix(string(bytes.TrimRight(page, "\x00")), failsWith); fails {
		return errors.New(text)
	}
	if bytes.HasPrefix(page, []byte(waits)) {
		_, err := h.in.Read()
		return err
	}
	if err := h.send(channel.Inspected, report.Inspection{OSFamily: "linux", Pretty: "Fake \x1b[2J Linux"}); err != nil {
		return err
	}
	if h.plan.Mode == spec.ModeInspect {
		return nil
	}
	if h.plan.WantsCredentials {
		if err := h.receive(channel.Credentials, new(spec.Credentials)); err != nil {
			return err
		}
	}
	return h.tasks(result)
}

// tasks accounts for the plan, and leaves the marker where the machine begins.
func (h *fakeHelper) tasks(result *report.Result) error {
	if h.plan.Mode == spec.ModeDeploy {
		if err := h.checkEnds(); err != nil {
			return err
		}
	}
	for i, name := range h.plan.Tasks {
		if text, fails := strings.CutPrefix(h.plan.InstanceName, failsWith); fails && i == 1 {
			result.Tasks = append(result.Tasks, report.TaskResult{Name: name, Outcome: report.Failed})
			return errors.New(name + ": " + text)
		}
		result.Tasks = append(result.Tasks, report.TaskResult{Name: name, Outcome: report.Done})
	}
	begin := h.disks[0]
	if h.plan.Mode == spec.ModeDeploy {
		begin = h.disks[1]
	}
	page, err := read(begin, 0)
	if err == nil {
		copy(page, marker)
		_, err = begin.WriteAt(page, 0)
	}
	return err
}

// read returns a page of f at an offset, where O_DIRECT wants it in memory.
func read(f *os.File, at int64) ([]byte, error) {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	_, err = f.ReadAt(page, at)
	return page, err
}

// checkEnds holds the host to its promise: when the helper gets the disk, the image is
// on it but for its ends, which are in the devices that stand for them.
func (h *fakeHelper) checkEnds() error {
	if len(h.disks) != 3 {
		return fmt.Errorf("%d disks, want one and its ends", len(h.disks))
	}
	for name, tc := range map[string]struct {
		f    *os.File
		at   int64
		want byte
	}{
		"the beginning of the disk": {h.disks[0], 0, 0}, "its head": {h.disks[1], 0, imageByte},
		"its body": {h.disks[0], spec.EndSize, imageByte}, "its tail": {h.disks[2], 0, 0},
	} {
		if page, err := read(tc.f, tc.at); err != nil || page[0] != tc.want {
			return fmt.Errorf("%s has %#x, %v, want %#x", name, page[0], err, tc.want)
		}
	}
	if h.ready.ImageBytes != imageSize {
		return fmt.Errorf("an image of %d bytes is announced", h.ready.ImageBytes)
	}
	return nil
}

// echo sends back one line of the shell.
func (h *fakeHelper) echo() error {
	line := make([]byte, 64)
	n, err := h.shell.Read(line)
	if err == nil {
		_, err = h.shell.Write(bytes.ToUpper(line[:n]))
	}
	return errors.Join(err, h.shell.Close())
}
