// Package machine boots deployed disks as an instance would, and talks to them
// over the serial console and SSH.
//
// The disk is not changed, unless asked for: what the machine writes goes to a
// temporary overlay. Only software emulation is used, so that every node can run it.
package machine

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
)

// loginLimit is how long a boot may take; half a minute on an idle node with
// software emulation.
const loginLimit = 15 * time.Minute

// Config describes the machine to boot.
type Config struct {
	Disk     string
	Firmware Firmware
	MAC      string // with a network card when not empty
	// Network is where the machine runs, with these cards; SSH is its address there.
	Network *Network
	NICs    []NIC
	SSH     string
	// Reboots lets the machine start again when it says so; without, it ends.
	Reboots bool
	// Writes has the disk keep what the machine writes.
	Writes bool
}

// Machine is a running one.
type Machine struct {
	// SSH is the address that leads to the machine's port 22, of the loopback device or
	// in its network, and empty without a network card.
	SSH string

	cmd     *exec.Cmd
	console *console
	debug   *console
	stdin   io.WriteCloser
	ended   chan struct{}
	users   int
	network *Network
}

// Boot starts the machine. The test stops it with Stop; its end does so too.
func Boot(t testing.TB, cfg Config) *Machine {
	t.Helper()
	m := &Machine{ended: make(chan struct{}), network: cfg.Network}
	debugRead, debugWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = m.network.command("qemu-system-x86_64", m.arguments(t, cfg)...)
	m.cmd.ExtraFiles = []*os.File{debugWrite}
	var stderr strings.Builder
	m.cmd.Stderr = &stderr
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, stdoutWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stdout = stdoutWrite
	if err := m.cmd.Start(); err != nil {
		t.Fatalf("starting QEMU: %v", err)
	}
	_ = debugWrite.Close()
	_ = stdoutWrite.Close()
	m.console = newConsole("the serial console", stdout)
	m.debug = newConsole("the firmware's debug port", debugRead)
	go func() {
		_ = m.cmd.Wait()
		close(m.ended)
	}()
	t.Cleanup(m.Stop)
	return m
}

func (m *Machine) arguments(t testing.TB, cfg Config) []string {
	t.Helper()
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "768",
		"-serial", "stdio",
		"-add-fd", "fd=3,set=1", "-chardev", "file,id=debug,path=/dev/fdset/1,append=on",
		"-device", "isa-debugcon,iobase=0x402,chardev=debug",
		"-device", "virtio-rng-pci",
		"-drive", "if=none,id=disk,format=raw,snapshot=" + map[bool]string{true: "off", false: "on"}[cfg.Writes] + ",file=" + cfg.Disk,
		"-device", "virtio-blk-pci,drive=disk",
	}
	args = append(args, firmwareArguments(t, cfg.Firmware)...)
	if !cfg.Reboots {
		args = append(args, "-no-reboot")
	}
	switch {
	case cfg.Network != nil:
		m.SSH = cfg.SSH
		for n, nic := range cfg.NICs {
			args = append(args,
				"-netdev", fmt.Sprintf("tap,id=net%d,ifname=%s,script=no,downscript=no", n, nic.Link),
				"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s", n, nic.MAC))
		}
	case cfg.MAC != "":
		m.SSH = freeAddress(t)
		args = append(args,
			"-netdev", "user,id=net,restrict=on,hostfwd=tcp:"+m.SSH+"-:22",
			"-device", "virtio-net-pci,netdev=net,mac="+cfg.MAC)
	default:
		args = append(args, "-nic", "none")
	}
	return args
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Attach talks to a machine that somebody else runs, over its serial console.
// Stop, and the end of the test, only hang up.
func Attach(t testing.TB, serial io.ReadWriteCloser) *Machine {
	t.Helper()
	m := &Machine{stdin: serial, console: newConsole("the serial console", serial)}
	t.Cleanup(m.Stop)
	return m
}

// Stop ends the machine at once. It may be called more than once.
func (m *Machine) Stop() {
	if m.cmd == nil {
		_ = m.stdin.Close()
		return
	}
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// PowerOff has the machine, in which somebody has logged in, end in order.
func (m *Machine) PowerOff(t testing.TB) {
	t.Helper()
	m.Send(t, "poweroff")
	timer := time.NewTimer(5 * time.Minute * harness.Patience())
	defer timer.Stop()
	select {
	case <-m.ended:
	case <-timer.C:
		t.Fatalf("the machine did not end:\n%s", m.console.tail())
	}
}

// Expect waits until the serial console shows the pattern.
func (m *Machine) Expect(t testing.TB, limit time.Duration, pattern string) {
	t.Helper()
	m.console.expect(t, limit, regexp.MustCompile(pattern))
}

// Send types a line on the serial console.
func (m *Machine) Send(t testing.TB, line string) {
	t.Helper()
	if _, err := io.WriteString(m.stdin, line+"\n"); err != nil {
		t.Fatalf("typing on the serial console: %v", err)
	}
}

// The login prompt, and one behind which the kernel has written something.
var prompt, spoiled = regexp.MustCompile(`\S+ login: $`), regexp.MustCompile(`\S+ login: \[ *[0-9.]+\] `)

// Prompt waits for the login prompt and returns the name it bears.
func (m *Machine) Prompt(t testing.TB) string {
	t.Helper()
	at := m.console.position()
	for m.console.expect(t, loginLimit, prompt, spoiled) == 1 {
		at = m.console.position()
		m.Send(t, "") // for another one
	}
	words := strings.Fields(m.console.since(at))
	return words[len(words)-2]
}

// Login waits for the login prompt and logs in as root with the password.
func (m *Machine) Login(t testing.TB, password string) {
	t.Helper()
	m.Prompt(t)
	m.Authenticate(t, password)
}

// Authenticate logs in as root at the login prompt.
func (m *Machine) Authenticate(t testing.TB, password string) {
	t.Helper()
	m.Send(t, "root")
	m.Expect(t, time.Minute, `Password: $`)
	m.Send(t, password)
	m.Expect(t, 2*time.Minute, `# $`)
	// Without echo and line editing the output is what the program printed.
	m.Send(t, "stty -echo; bind 'set enable-bracketed-paste off'; TERM=dumb; PS1=; PROMPT_COMMAND=; dmesg -n 1; echo ready-$((40+2))")
	m.Expect(t, time.Minute, `ready-42\r?\n`)
}

// Shell runs a command in the login shell and returns what it printed and its
// exit status.
func (m *Machine) Shell(t testing.TB, command string) (string, int) {
	t.Helper()
	m.users++
	begin, end := fmt.Sprintf("begin-%d-", m.users), fmt.Sprintf("end-%d-", m.users)
	// The quotes keep the echo of the line from matching.
	m.Send(t, fmt.Sprintf(`echo "%s""x"; { %s; } 2>&1; echo "%s""$?"`, begin, command, end))
	m.Expect(t, time.Minute, begin+`x\r?\n`)
	at := m.console.position()
	m.Expect(t, 2*time.Minute, end+`\d+\r?\n`)
	out := strings.ReplaceAll(m.console.since(at), "\r", "")
	i := strings.LastIndex(out, end)
	status := 0
	_, _ = fmt.Sscanf(out[i+len(end):], "%d", &status)
	return strings.TrimSuffix(out[:i], "\n"), status
}

// Remote runs a command over SSH with a private key, and accepts no other host
// key than those in the known_hosts file.
func (m *Machine) Remote(t testing.TB, identity, knownHosts, alias, command string) (string, error) {
	t.Helper()
	return m.RemoteAt(t, m.SSH, identity, knownHosts, alias, command)
}

// RemoteAt is Remote at another address of the machine.
func (m *Machine) RemoteAt(t testing.TB, address, identity, knownHosts, alias, command string) (string, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "identity")
	b, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := remote(m.network, port, knownHosts, alias, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "root@"+host, command).CombinedOutput()
	return string(out), err
}

// RemoteByPassword is Remote with the password of a user, and returns standard output alone.
func (m *Machine) RemoteByPassword(t testing.TB, user, password, knownHosts, alias, command string) (string, error) {
	t.Helper()
	_, port, err := net.SplitHostPort(m.SSH)
	if err != nil {
		t.Fatal(err)
	}
	ask := filepath.Join(t.TempDir(), "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho '"+password+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := remote(m.network, port, knownHosts, alias, "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", user+"@127.0.0.1", command)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force")
	out, err := cmd.Output()
	return string(out), err
}

// remote is ssh to a machine that has one of the keys in the known_hosts file.
func remote(n *Network, port, knownHosts, alias string, more ...string) *exec.Cmd {
	return n.command("ssh", append([]string{
		"-F", "none", "-p", port, "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + knownHosts,
		"-o", "GlobalKnownHostsFile=/dev/null", "-o", "HostKeyAlias=" + alias, "-o", "ConnectTimeout=60",
	}, more...)...)
}
