package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestFilesOfOthers gives root a configuration and a helper image that others may
// change.
func TestFilesOfOthers(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	theirs := filepath.Join(j.dir, "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	in := site.WithHelperCopy(t)
	if err := os.Chmod(in.HelperDir, 0o777); err != nil {
		t.Fatal(err)
	}
	in.Run(t, j.args()...).Fails(t, 6, `opening the helper image, on .*: others than root may change it: .* has mode 0777, group 0; .*chmod go-w`)
	conf := harness.File(t, theirs, "conf", "HELPER_DIR="+site.HelperDir+"\n")
	site.Run(t, append([]string{"--config", conf}, j.args()...)...).
		Fails(t, 2, `reading the configuration, on .*/conf: others than root may change it: .*/theirs belongs to uid 1000`)
	if _, err := os.Stat(j.disk); err == nil {
		t.Error("a disk was made")
	}
}

// TestImageSwapped deploys an image by its name in IMAGE_DIR while who may write there
// swaps it for a link to a file of root's, and back. Each run is refused or deploys the
// image; no helper is needed for that.
func TestImageSwapped(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	store := filepath.Join(j.dir, "store")
	image, link := filepath.Join(store, "debian"), filepath.Join(store, "link")
	secret := j.file("secret", string(bytes.Repeat([]byte("secret!\n"), 1<<19)))
	content := bytes.Repeat([]byte("image..\n"), 1<<19)
	if err := errors.Join(os.Mkdir(store, 0o755), os.WriteFile(image, content, 0o644), os.Symlink(secret, link)); err != nil {
		t.Fatal(err)
	}
	conf := j.file("store.conf", "IMAGE_DIR="+store+"\n")
	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, image, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	end := sync.OnceFunc(func() { close(stop); swaps.Wait() })
	defer end()
	run := func(n int) (harness.Outcome, []byte) {
		disk := filepath.Join(j.dir, fmt.Sprintf("disk%d", n))
		o := site.Run(t, "deploy", "--config", conf, "--image", "local://debian", "--disk", disk, "--size", "8M", "--property", "EXCLUDE_ALL_TASKS=yes")
		got, err := os.ReadFile(disk)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return o, got
	}
	for n := range 40 {
		o, got := run(n)
		if bytes.Contains(got, []byte("secret!")) {
			t.Fatalf("run %d copied a file from outside of IMAGE_DIR\n%s", n, o)
		}
		if o.Code != 0 { // the name changes all the time, and with it what is known about the image
			o.Fails(t, 3, `it leads out of IMAGE_DIR|it was replaced while being opened|the image was changed while it was read`)
		}
	}
	end()
	if st, err := os.Lstat(image); err != nil || !st.Mode().IsRegular() {
		if err := unix.Renameat2(unix.AT_FDCWD, image, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE); err != nil {
			t.Fatal(err)
		}
	}
	if o, got := run(40); o.Code != 0 || !bytes.HasPrefix(got, content) {
		t.Errorf("left alone, the image is not deployed\n%s", o)
	}
}

// TestOwnAddresses offers an image at every address of a node, which has a network
// namespace of its own.
func TestOwnAddresses(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	node := exec.Command("unshare", "--net", "sh", "-ec", `ip link set lo up
		ip addr add 10.20.30.40/24 dev lo
		ip addr add fd12:3456::40/64 dev lo
		echo ready; read end`)
	in, inErr := node.StdinPipe()
	out, outErr := node.StdoutPipe()
	if err := errors.Join(inErr, outErr, node.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = node.Wait() })
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatalf("the node does not come up: %v", err)
	}
	namespace := fmt.Sprintf("/proc/%d/ns/net", node.Process.Pid)
	listener := listenIn(t, namespace)
	var requests atomic.Int32
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.ServeFile(w, r, j.image)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	deploy := func(in *harness.Installation, more ...string) harness.Outcome {
		args := append([]string{"deploy", "--disk", j.disk, "--size", "256M", "--property", "EXCLUDE_ALL_TASKS=yes"}, more...)
		return in.StartWrapped(t, []string{"nsenter", "--net=" + namespace}, args...).Wait()
	}
	for _, host := range []string{"10.20.30.40", "[fd12:3456::40]", "[::ffff:10.20.30.40]", "127.0.0.1"} {
		url := fmt.Sprintf("http://%s:%d/image", host, port)
		deploy(site, "--image", url).Fails(t, 3, `fetching the image, on .*: the URL is refused: it leads to .*ALLOW_URL`)
		deploy(site, "--config-url", url).Fails(t, 2, `the URL is refused: it leads to .*ALLOW_URL`)
	}
	deploy(site, "--image", "http://168.63.129.16/").Fails(t, 3, `the URL is refused: it leads to the metadata service of a cloud`)
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests reached the node's own server", n)
	}
	if _, err := os.Stat(j.disk); err == nil {
		t.Error("a disk was left behind")
	}
	url := fmt.Sprintf("http://10.20.30.40:%d/image", port)
	deploy(site.With(t, "ALLOW_URL="+url), "--image", url).OK(t)
	size := oracle.Size(t, j.image)
	if oracle.Digest(t, j.disk, 0, size) != oracle.Digest(t, j.image, 0, size) {
		t.Error("what ALLOW_URL names is not what was deployed")
	}
}

// listenIn listens on all addresses of a network namespace.
func listenIn(t *testing.T, namespace string) net.Listener {
	t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with this function
		f, err := os.Open(namespace)
		if err == nil {
			err = errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close())
		}
		var l net.Listener
		if err == nil {
			l, err = net.Listen("tcp", "[::]:0")
		}
		done <- result{l, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.l
}
