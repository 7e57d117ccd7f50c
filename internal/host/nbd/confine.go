package nbd

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
)

// Limits of the program.
const (
	maxFiles   = 1024
	maxThreads = 1024     // of its user, which is this run's alone
	maxAddress = 64 << 30 // bytes; libraries of storage reserve more than they use
	maxMemory  = 4 << 30
)

// resolver is what it takes to find a host by its name.
var resolver = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"}

// confinement describes the qemu-nbd at path but for its arguments. It is on the node's
// network, and gets the socket it listens on by activation. Where it needs keys, these
// may be anywhere in the node's files, as the configuration of the storage may.
func confinement(uri, path string, as *syscall.Credential) confine.Child {
	c := confine.Child{
		Path: path, Grace: time.Second, Bounds: &confine.Bounds{Memory: maxMemory, Processes: maxThreads},
		Env:        []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home()},
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Stage: confine.Stage{
			Limits: []confine.Limit{
				{Resource: unix.RLIMIT_CORE, Max: 0},
				{Resource: unix.RLIMIT_NOFILE, Max: maxFiles},
				{Resource: unix.RLIMIT_AS, Max: maxAddress},
				{Resource: unix.RLIMIT_FSIZE, Max: 0},
			},
			ReadOnly: true, Activate: true, Root: confine.NodeFor(path),
		},
	}
	if !needsKeys(uri) {
		c.User = as
		if c.Stage.Root = confine.RootFor(path); c.Stage.Root != nil {
			c.Stage.Root.Paths = append(c.Stage.Root.Paths, resolver...)
		}
	}
	if c.Stage.Root != nil { // else it is a script, which may be anything
		c.Stage.Filter, c.Stage.Refused = true, []string{"listen"}
	}
	if c.User != nil {
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_NPROC, Max: maxThreads})
	}
	if os.Geteuid() == 0 && c.User == nil {
		c.Stage.Capabilities = capabilities
	}
	if usesRDMA(uri) { // which opens devices for writing and locks memory
		c.Stage.ReadOnly = false
		if c.Stage.Capabilities != nil {
			c.Stage.Capabilities = append(slices.Clone(capabilities), unix.CAP_IPC_LOCK)
		}
	}
	return c
}

// script is what a program that is a script does without. It may be anything.
const script = "root of its own and seccomp filter (" + Tool + " is a script)"

// withoutLayers names the layers that the child goes without, those included that the node refused.
func withoutLayers(c confine.Child, refused []string) []string {
	if c.Stage.Root == nil {
		return append([]string{script}, refused...)
	}
	return refused
}

// usesRDMA reports whether the storage is reached by RDMA.
func usesRDMA(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return scheme == "iser" || scheme == "gluster+rdma"
}

// capabilities are what root keeps to reach storage: the files of the keys and the sockets
// of others, and the ports that servers of NFS and Gluster take for a proof of root.
var capabilities = []int{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_NET_BIND_SERVICE}

// needsKeys reports whether the storage asks for a key, a socket or a port of root's. TCP
// alone does not.
func needsKeys(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	switch scheme {
	case "nbd":
		return strings.HasPrefix(uri, "nbd:unix:")
	case "nbd+tcp", "sheepdog", "sheepdog+tcp":
		return false
	}
	return true
}

// home is where libssh and librados look for the account's keys.
func home() string {
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return "/"
}

// Examine starts the program, which ends at once, as the server of a disk that needs no keys, and
// returns the layers around it and those the node refused.
func Examine(ctx context.Context, as *syscall.Credential) (layers, missing []string, err error) {
	path, err := command.Find(Tool)
	if err != nil {
		return nil, nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := confinement("nbd://localhost/", path, as)
	c.Args, c.Stage.Activate = []string{path, "--version"}, false
	stderr := &command.Tail{Max: maxStderr}
	c.Stderr = stderr
	p, err := c.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Wait(); err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, stderr.Text(maxStderr))
	}
	return p.Layers, withoutLayers(c, p.Missing), nil
}
