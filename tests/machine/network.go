package machine

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a namespace of this node in which a machine runs, with a link for each of its
// NICs. Nothing in it reaches anything outside. It needs root and ends with the test.
type Network struct{ pid int }

// NIC is a network card of a machine, on a link of its network.
type NIC struct{ MAC, Link string }

// NewNetwork makes a network without links.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	holder := exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatalf("making a network: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = holder.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("making a network: %v", err)
	}
	return &Network{holder.Process.Pid}
}

// Link adds a link on which this node has the addresses.
func (n *Network) Link(t testing.TB, name string, addresses ...string) {
	t.Helper()
	script := "ip tuntap add " + name + " mode tap && ip link set " + name + " up"
	for _, a := range addresses {
		script += " && ip addr add " + a + " dev " + name
		if strings.Contains(a, ":") {
			script += " nodad"
		}
	}
	if out, err := n.command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("adding a link: %v: %s", err, out)
	}
}

// Server is the router of links: it advertises prefixes and answers DHCP.
type Server struct {
	mu  sync.Mutex
	log strings.Builder
}

// Write keeps what the server said.
func (s *Server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// Log is what it has said: each message of a client and each answer.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Serve runs dnsmasq on links until the test ends, with options of dnsmasq(8), and without
// its name server.
func (n *Network) Serve(t testing.TB, links []string, options ...string) *Server {
	t.Helper()
	s := &Server{}
	args := []string{
		"--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--port=0", "--bind-interfaces", "--dhcp-authoritative", "--no-ping", "--enable-ra",
		"--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases"),
	}
	for _, link := range links {
		args = append(args, "--interface="+link)
	}
	cmd := n.command("dnsmasq", append(args, options...)...)
	cmd.Stdout, cmd.Stderr = s, s
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting dnsmasq: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return s
}

// Run runs a script of sh in the network and returns what it prints.
func (n *Network) Run(t testing.TB, script string, args ...string) string {
	t.Helper()
	cmd := n.command("sh", append([]string{"-ec", script, "sh"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.String())
	}
	return string(out)
}

// command returns a command that runs in the network, or, with none, on the node.
func (n *Network) command(name string, args ...string) *exec.Cmd {
	if n == nil {
		return exec.Command(name, args...)
	}
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", n.pid), name}, args...)...)
}

// Resolver answers questions for the IPv4 address of a name, at port 53 of an address of the
// network, until the test ends. Other questions have no answer.
func (n *Network) Resolver(t testing.TB, at, name string, answer [4]byte) {
	t.Helper()
	conn := make(chan net.PacketConn, 1)
	go func() {
		defer close(conn)
		runtime.LockOSThread() // and never unlocked: the thread is in the network, and ends
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", n.pid))
		if err != nil {
			return
		}
		defer ns.Close()
		if unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) != nil {
			return
		}
		if c, err := net.ListenPacket("udp", at+":53"); err == nil {
			conn <- c
		}
	}()
	c, ok := <-conn
	if !ok {
		t.Fatal("no name server in the network")
	}
	t.Cleanup(func() { _ = c.Close() })
	go serve(c, name, answer)
}

func serve(c net.PacketConn, name string, answer [4]byte) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := respond(buf[:n], name, answer); reply != nil {
			_, _ = c.WriteTo(reply, from) // the client asks again
		}
	}
}

// respond returns the answer to a question (RFC 1035, 4.1): the address, or that there is
// none.
func respond(question []byte, name string, answer [4]byte) []byte {
	const header = 12
	wire := ""
	for label := range strings.SplitSeq(name, ".") {
		wire += string(rune(len(label))) + label
	}
	wire += "\x00"
	end := header + strings.IndexByte(string(question[min(header, len(question)):]), 0) + 1 + 4
	if end < header+5 || end > len(question) {
		return nil
	}
	asked := string(question[header:end])
	known := strings.EqualFold(asked[:len(asked)-4], wire)
	reply := append([]byte{question[0], question[1], 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, asked...)
	switch {
	case !known:
		reply[3] |= 3 // there is no such name
	case asked[len(asked)-4:] == "\x00\x01\x00\x01":
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		reply = append(reply, answer[:]...)
	}
	return reply
}
