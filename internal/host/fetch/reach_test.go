package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "in-a-node-of-its-own" {
		os.Exit(ownNode())
	}
	os.Exit(m.Run())
}

// TestOwnAddresses tries to reach what listens on all addresses of a node, in a
// network namespace with addresses of its own.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "in-a-node-of-its-own")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "tried all\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// ownNode is what TestOwnAddresses runs; it says what went wrong and returns the exit
// code.
func ownNode() int {
	code := 0
	wrong := func(format string, args ...any) { fmt.Printf(format+"\n", args...); code = 1 }
	for _, words := range []string{
		"link set lo up",
		"addr add 10.20.30.40/24 dev lo",
		"addr add fd12:3456::40/64 dev lo",
		"route add local 198.51.100.0/24 dev lo", // any address of the network is ours
		"route add 192.0.2.0/24 dev lo",          // as if others were there
		"route add 2001:db8::/64 dev lo",
		"route add prohibit 203.0.113.0/24",
	} {
		if out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			wrong("ip %s: %v: %s", words, err, out)
		}
	}
	// The kernel makes an IPv6 address local a moment after it was added.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if kind, err := routeTo(netip.MustParseAddr("fd12:3456::40")); err != nil || kind == unix.RTN_LOCAL {
			break
		}
	}
	listener, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		wrong("%v", err)
		return code
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if to := r.URL.Query().Get("to"); to != "" {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, "secret")
		}))
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	c, err := New(Options{})
	if err != nil {
		wrong("%v", err)
		return code
	}
	read := func(c *Client, address string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s, err := c.Open(ctx, address)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(s)
		return string(b), errors.Join(err, s.Close())
	}
	own := []string{
		"10.20.30.40", "10.20.30.255", "198.51.100.7", "[fd12:3456::40]", "[::ffff:10.20.30.40]", "[::ffff:0a14:1e28]",
		"[::10.20.30.40]", "[64:ff9b::10.20.30.40]", "[64:ff9b::198.51.100.7]", "127.0.0.1", "[::1]",
	}
	for _, host := range own {
		for _, scheme := range []string{"http", "ftp"} {
			if got, err := read(c, fmt.Sprintf("%s://%s:%d/", scheme, host, port)); !errors.Is(err, ErrForbidden) {
				wrong("%s://%s: %q, %v, want it refused", scheme, host, got, err)
			}
		}
	}
	// ALLOW_URL opens the address it names, and where that redirects to stays closed.
	base := fmt.Sprintf("http://10.20.30.40:%d/", port)
	allowed, err := New(Options{Allow: []string{base + "*"}})
	if err != nil {
		wrong("%v", err)
		return code
	}
	if got, err := read(allowed, base); got != "secret" {
		wrong("what ALLOW_URL names: %q, %v", got, err)
	}
	if got, err := read(allowed, base+fmt.Sprintf("?to=http://[fd12:3456::40]:%d/", port)); !errors.Is(err, ErrForbidden) {
		wrong("a redirect: %q, %v", got, err)
	}
	// A proxy of the administrator's is not a way round.
	proxied, err := New(Options{HTTPProxy: base})
	if err != nil {
		wrong("%v", err)
		return code
	}
	if got, err := read(proxied, fmt.Sprintf("http://[::ffff:10.20.30.40]:%d/", port)); !errors.Is(err, ErrForbidden) {
		wrong("by a proxy: %q, %v", got, err)
	}
	if got, err := read(proxied, "http://192.0.2.9/"); got != "secret" {
		wrong("the proxy itself: %q, %v", got, err)
	}
	for _, address := range []string{"192.0.2.9", "2001:db8::9", "203.0.113.1", "100.64.0.1", "2001:db8:1::1"} {
		if err := reach(netip.MustParseAddr(address)); err != nil {
			wrong("%s of somebody else: %v", address, err)
		}
	}
	fmt.Println("tried all")
	return code
}

// TestMetadata refuses the addresses by themselves: whatever routes there.
func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "fd00:ec2::254", "fd20:ce::254",
		"100.100.100.200", "192.0.0.192", "169.254.169.254", "::ffff:169.254.169.254",
	} {
		ip := netip.MustParseAddr(address)
		if err := checkAddress("tcp", netip.AddrPortFrom(ip, 80).String(), nil); !errors.Is(err, ErrForbidden) {
			t.Errorf("connecting to %s: %v", address, err)
		}
		host := address
		if ip.Is6() {
			host = "[" + address + "]"
		}
		if err := client(t).Check("http://" + host + "/"); !errors.Is(err, ErrForbidden) {
			t.Errorf("http://%s/: %v", host, err)
		}
		if err := client(t, "http://"+host).Check("http://" + host + "/"); err != nil {
			t.Errorf("http://%s/, which ALLOW_URL names: %v", host, err)
		}
	}
}
