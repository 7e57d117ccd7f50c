package fetch

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ftpServer answers as an FTP server with one file does.
type ftpServer struct {
	content string
	size    string // the answer to SIZE
	last    string // the answer after the data
	passive string // the answer to PASV; EPSV is refused with it
	time    string // the answer to MDTM, which is a feature then
	rest    string // the answer to REST; "" is one that heeds it
	retr    string // the answer to RETR where it is not the file
	hangup  string // the command at which it hangs up
	cut     int    // how much of the data it sends, 0 for all
	tls     *tls.Config
	stuck   bool        // it never ends its data
	said    chan string // every command
}

// start returns the server's host and port, for one connection.
func (s *ftpServer) start(t *testing.T) string {
	t.Helper()
	return startFTP(t, s)
}

// startFTP returns the host and port of servers that take one connection each.
func startFTP(t *testing.T, servers ...*ftpServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, s := range servers {
		s.said = make(chan string, 100)
	}
	go func() {
		for _, s := range servers {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(s.wrap(conn))
		}
		_ = l.Close()
	}()
	return l.Addr().String()
}

func (s *ftpServer) wrap(conn net.Conn) net.Conn {
	if s.tls == nil {
		return conn
	}
	return tls.Server(conn, s.tls)
}

func (s *ftpServer) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // a test
	defer close(s.said)
	var data net.Listener
	from := 0
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 ready")
	for in := bufio.NewScanner(conn); in.Scan(); {
		s.said <- in.Text()
		command, what, _ := strings.Cut(in.Text(), " ")
		if command == s.hangup {
			return
		}
		switch command {
		case "USER":
			say("331 password")
		case "PASS":
			say("230 hello")
		case "SIZE":
			say(s.size)
		case "FEAT":
			say(cmp.Or(map[bool]string{true: "211-has\r\n MDTM\r\n211 end"}[s.time != ""], "500 no"))
		case "MDTM":
			say(s.time)
		case "REST":
			if s.rest == "" {
				from, _ = strconv.Atoi(what)
			}
			say(cmp.Or(s.rest, "350 from there"))
		case "EPSV":
			if s.passive != "" {
				say("502 no")
				continue
			}
			data, _ = net.Listen("tcp", "127.0.0.1:0")
			say(fmt.Sprintf("229 ok (|||%d|)", data.Addr().(*net.TCPAddr).Port))
		case "PASV":
			say(s.passive)
		case "RETR":
			if s.content == "" || s.retr != "" {
				say(cmp.Or(s.retr, "550 no\x1b[2J such file"))
				continue
			}
			if !s.send(say, data, s.content[from:]) {
				return
			}
		case "TYPE", "PBSZ", "PROT":
			say("200 ok")
		case "QUIT":
			return
		default:
			say("500 what")
		}
	}
}

// send sends the file.
func (s *ftpServer) send(say func(string), data net.Listener, content string) bool {
	say("150 here it is")
	to, err := data.Accept()
	if err != nil {
		return false
	}
	to = s.wrap(to)
	if s.cut > 0 {
		content = content[:s.cut]
	}
	_, _ = io.WriteString(to, content)
	if s.stuck {
		_, _ = to.Read(make([]byte, 1))
	}
	_ = to.Close()
	say(s.last)
	return true
}

func TestFTP(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		server ftpServer
		want   string
		length int64
		err    string
	}{
		{"whole", ftpServer{content: "hello", size: "213 5", last: "226 done"}, "hello", 5, ""},
		{"of unknown size", ftpServer{content: "hello", size: "550 no", last: "226 done"}, "hello", -1, ""},
		{"cut short", ftpServer{content: "hello", size: "213 6", last: "226 done"}, "", 0, "broke off"},
		{"broken off, of unknown size", ftpServer{content: "hello", size: "550 no", last: "426 broken"}, "", 0, "answered 426"},
		{"missing", ftpServer{size: "550 no"}, "", 0, `answered 550 "no\x1b[2J such file"`},
		{"a data connection to elsewhere", ftpServer{content: "x", size: "213 1", passive: "227 ok (127,0,0,2,4,0)"}, "", 0, "127.0.0.1:1024"},
		{"a data connection to a service", ftpServer{content: "x", size: "213 1", passive: "227 ok (127,0,0,1,3,255)"}, "", 0, "at port 1023, which is below 1024"},
	} {
		address := tc.server.start(t)
		got, length, err := all(t, client(t, "ftp://127.0.0.1"), "ftp://user:canary@"+address+"/dir/image?canary")
		if tc.err == "" && (err != nil || got != tc.want || length != tc.length) {
			t.Errorf("%s: %q of %d, %v, want %q of %d", tc.name, got, length, err, tc.want, tc.length)
		}
		if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v, want an error with %q", tc.name, err, tc.err)
		}
	}
}

// TestFTPWords shows what the server is told.
func TestFTPWords(t *testing.T) {
	t.Parallel()
	s := ftpServer{content: "hello", size: "213 5", last: "226 done"}
	address := s.start(t)
	if _, _, err := all(t, client(t, "ftp://127.0.0.1"), "ftp://us%65r:p%40ss@"+address+"/%2Fdir/image"); err != nil {
		t.Fatal(err)
	}
	var said []string
	for line := range s.said {
		said = append(said, line)
	}
	text := strings.Join(said, "\n")
	for _, want := range []string{"USER user\nPASS p@ss\n", "TYPE I\n", "RETR /dir/image\n"} {
		if !strings.Contains(text+"\n", want) {
			t.Errorf("the server was told %q, want %q", text, want)
		}
	}
}

// TestFTPS has TLS from the first byte, and for the data too.
func TestFTPS(t *testing.T) {
	t.Parallel()
	keys := httptest.NewTLSServer(nil) // for its certificate
	defer keys.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(keys.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	s := ftpServer{content: "hello", size: "213 5", last: "226 done", tls: keys.TLS}
	address := s.start(t)
	c, err := New(Options{Allow: []string{"ftps://127.0.0.1"}, CAFile: ca, Idle: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := all(t, c, "ftps://"+address+"/image"); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	var said []string
	for line := range s.said {
		said = append(said, line)
	}
	if !strings.Contains(strings.Join(said, "\n"), "PROT P") {
		t.Errorf("private data connections were not asked for: %q", said)
	}
}

// TestFTPDataPort keeps a server that ALLOW_URL names with its port from leading to
// what listens beside it.
func TestFTPDataPort(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	reached := make(chan struct{}, 1)
	go func() {
		if conn, err := other.Accept(); err == nil {
			reached <- struct{}{}
			_, _ = io.WriteString(conn, "secret of another service")
			_ = conn.Close()
		}
	}()
	port := other.Addr().(*net.TCPAddr).Port
	s := ftpServer{content: "x", size: "213 1", passive: fmt.Sprintf("227 ok (127,0,0,1,%d,%d)", port>>8, port&255)}
	address := s.start(t)
	got, _, err := all(t, client(t, "ftp://"+address+"/*"), "ftp://"+address+"/image")
	if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), fmt.Sprintf("at port %d of this node", port)) {
		t.Errorf("%q, %v, want the port refused", got, err)
	}
	if len(reached) > 0 {
		t.Error("the other service was reached")
	}
	far := &ftpDialer{host: netip.MustParseAddr("192.0.2.7")}
	if to, err := far.data("192.0.2.9:40000"); err != nil || to != "192.0.2.7:40000" {
		t.Errorf("data of another host: %q, %v", to, err)
	}
}

// TestFTPRefused connects to no server of this node.
func TestFTPRefused(t *testing.T) {
	t.Parallel()
	s := ftpServer{content: "hello", size: "213 5", last: "226 done"}
	if _, _, err := all(t, client(t), "ftp://"+s.start(t)+"/x"); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v", err)
	}
}

// TestFTPConnecting says why there is no session: the end of our own watch is not
// the reason.
func TestFTPConnecting(t *testing.T) {
	t.Parallel()
	_, err := client(t, "ftp://127.0.0.1/*").Open(t.Context(), "ftp://127.0.0.1:1/x")
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: %v", err)
	}
	for greeting, want := range map[string]string{
		"421 full\r\n":                               `the server answered 421 "full"`,
		"220 " + strings.Repeat("a", 1<<20):          "more than 65536 bytes",
		"220-a\r\n" + strings.Repeat("a\r\n", 1<<20): "more than 65536 bytes",
	} {
		_, err := client(t, "ftp://127.0.0.1/*").Open(t.Context(), "ftp://"+greeter(t, greeting)+"/x")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("greeting %.10q: %v, want %q", greeting, err, want)
		}
	}
}

// greeter returns the address of a server that says text to whoever connects.
func greeter(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}
