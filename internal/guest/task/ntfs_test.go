package task

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
	"snf-image/tests/hive"
	"snf-image/tests/require"
)

// TestOnNTFS changes a hive and writes files on NTFS that is mounted as the helper does:
// names count in any case, Windows' rules for new ones hold, and a file that is replaced keeps
// its access control list and attributes.
func TestOnNTFS(t *testing.T) {
	for _, tool := range []string{"mkntfs", "lowntfs-3g", "ntfs-3g.probe", "hivexsh", "setfattr"} {
		require.Tool(t, tool)
	}
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Geteuid() != 0 {
		require.Missing(t, "needs root and /dev/fuse")
	}
	dir := t.TempDir()
	v := filesystem.Volume{Name: "ntfs", Path: filepath.Join(dir, "image"), Type: "ntfs"}
	check(t, os.WriteFile(v.Path, nil, 0o600))
	check(t, os.Truncate(v.Path, 16<<20))
	check(t, exec.Command("mkntfs", "-q", "-F", v.Path).Run())
	target := filepath.Join(dir, "target")
	check(t, os.Mkdir(target, 0o700))
	check(t, filesystem.Mount(v, target, true))
	defer func() { check(t, filesystem.Unmount(target)) }()

	const config = "Windows/System32/config"
	check(t, os.MkdirAll(filepath.Join(target, config), 0o755))
	name := filepath.Join(target, config, "SYSTEM")
	check(t, os.WriteFile(name, hive.New(t, "[HIVE\\Setup]\n\"CmdLine\"=\"old\"\n"), 0o640))
	check(t, exec.Command("setfattr", "-n", "system.ntfs_attrib", "-v", "0x26000000", name).Run()) // hidden, system, to be archived
	before := [2]string{attribute(t, name, "system.ntfs_acl"), attribute(t, name, "system.ntfs_attrib")}

	root, err := rootfs.Open(target)
	check(t, err)
	h, err := registry.Open(root, "/windows/SYSTEM32/Config/system")
	check(t, err)
	h.Set("setup", "cmdline", registry.String("new"))
	check(t, h.Commit(t.Context()))
	if value, _, err := h.Value("Setup", "CmdLine"); err != nil || value.Text() != "new" {
		t.Errorf("CmdLine is %q, %v", value.Text(), err)
	}
	check(t, root.WriteFile("/Windows/secret", []byte("x"), rootfs.Attr{Mode: 0o600}))
	if st, err := root.Stat("/WINDOWS/Secret"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("a file for administrators alone: %v, %v", st, err)
	}
	if err := root.WriteFile("/Windows/a:b", nil, rootfs.Attr{Mode: 0o644}); err == nil {
		t.Error("a file got a name that Windows does not allow")
	}
	check(t, h.Close())
	check(t, root.Close())
	// The kernel keeps for a while what it knew of a name in another case: look anew.
	check(t, filesystem.Unmount(target))
	check(t, filesystem.Mount(v, target, true))
	if after := [2]string{attribute(t, name, "system.ntfs_acl"), attribute(t, name, "system.ntfs_attrib")}; after != before {
		t.Errorf("list and attributes are %x, were %x", after, before)
	}
}

func attribute(t *testing.T, file, name string) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Getxattr(file, name, buf)
	check(t, err)
	return string(buf[:n])
}
