package vm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// rootOn is an MBR with the root, a Debian, on a file system of that kind.
func rootOn(fs string, mib int64, mkfs ...string) images.Image {
	fstab := images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / " + fs + " defaults 0 0\n"}
	i := images.Primary(fs, images.PlainDebian().With(fstab))
	i.Parts[0].MiB, i.Parts[0].Mkfs, i.MiB = mib, mkfs, mib+2
	return i
}

// needsFilesystems demands the tools of the file systems themselves.
func needsFilesystems(t *testing.T) {
	t.Helper()
	harness.Gate(t, "mkfs.xfs", "xfs_repair", "xfs_db", "mkfs.btrfs", "btrfs")
}

// checkFilled compares the file system with its partition and looks at the name in it.
func (j *job) checkFilled(hostname string) {
	j.t.Helper()
	j.done()
	_, parts := oracle.ReadTable(j.t, j.disk)
	if fs, size := oracle.FSBytes(j.t, j.disk, 1), parts[1].Size*512; fs > size || fs < size-images.MiB {
		j.t.Errorf("the file system has %d bytes, want the partition's %d", fs, size)
	}
	if size := oracle.Size(j.t, j.disk); parts[1].End()*512 < size-2*images.MiB {
		j.t.Errorf("the partition ends at sector %d of a disk of %d bytes", parts[1].End(), size)
	}
	if hostname == "" {
		return
	}
	if got := strings.TrimSpace(oracle.ReadFile(j.t, j.disk, 1, "etc/hostname")); got != hostname {
		j.t.Errorf("the host name is %q, want %q", got, hostname)
	}
}

// TestXFS deploys a root on XFS, with all features of this mkfs, and grows it once more as a
// installed machine; and an installed machine on XFS of version 4.
func TestXFS(t *testing.T) {
	needsFilesystems(t)
	t.Run("deployed", func(t *testing.T) {
		j := newJob(t, rootOn("xfs", 320))
		site.Run(t, append(j.args(), "--size", "1G")...).OK(t)
		j.checkFilled("web1.example.org")
		site.Run(t, j.customized("--size", "3G", "--name", "web2")...).OK(t)
		j.checkFilled("web2")
	})
	t.Run("version 4", func(t *testing.T) {
		image := rootOn("xfs", 320, "-m", "crc=0")
		j := newJob(t, image)
		j.disk = image.Write(t, j.disk)
		site.Run(t, j.customized("--size", "512M", "--name", "web2")...).OK(t)
		j.checkFilled("") // newer kernels do not mount it
	})
}

// TestXFSRefused has damage that only a person repairs, and a feature of the future.
func TestXFSRefused(t *testing.T) {
	needsFilesystems(t)
	image := rootOn("xfs", 320)
	j := newJob(t, image)
	j.disk = image.Write(t, j.disk)
	const root = images.MiB
	scribble(t, j.disk, root+512+16, "damaged")
	before := oracle.Digest(t, j.disk, 0, images.MiB)
	site.Run(t, j.customized("--size", "512M", "--name", "web2")...).Fails(t, 8, "repair it with")
	if oracle.Digest(t, j.disk, 0, images.MiB) != before {
		t.Error("the partition table changed")
	}
	dev := sh(t, "losetup", "--find", "--show", "--offset", fmt.Sprint(root), j.image)
	sh(t, "xfs_db", "-x", "-c", "sb 0", "-c", "write -d features_incompat 0x40000001", strings.TrimSpace(dev))
	sh(t, "losetup", "--detach", strings.TrimSpace(dev))
	j.disk = filepath.Join(j.dir, "second.raw")
	site.Run(t, j.args("--size", "512M")...).Fails(t, 3, "bit 30 of the incompatible features of XFS.*without the features")
	j.undone()
}

// subvolumes make the root of the mounted image a subvolume, with a home beside it.
const subvolumes = `cd "$SNF_IMAGE_TARGET" && btrfs subvolume snapshot . @rootfs && btrfs subvolume create @home || exit 1
echo "UUID=` + images.RootUUID + ` / btrfs subvol=@rootfs 0 0" >@rootfs/etc/fstab
echo "UUID=` + images.RootUUID + ` /home btrfs subvol=@home 0 0" >>@rootfs/etc/fstab
mkdir -p @rootfs/home && rmdir @rootfs/@home; rm -rf etc usr`

// TestBtrfs deploys a root on the top level of btrfs, makes it a subvolume there, and
// deploys that disk as an image.
func TestBtrfs(t *testing.T) {
	needsFilesystems(t)
	j := newJob(t, rootOn("btrfs", 256))
	site.Run(t, append(j.args("--size", "512M"), custom(subvolumes)...)...).OK(t)
	j.checkFilled("")
	j.image, j.disk = j.disk, j.dir+"/second.raw"
	site.Run(t, j.args("--size", "2G", "--name", "web3", "--file", j.file("motd", "hello")+":/home/motd")...).OK(t)
	j.checkFilled("")
	oracle.Mounted(t, j.disk, 1, func(dir string) {
		for name, want := range map[string]string{"@rootfs/etc/hostname": "web3", "@home/motd": "hello"} {
			if got := strings.TrimSpace(readText(t, filepath.Join(dir, name))); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
	})
	site.Run(t, j.customized("--size", "3G", "--name", "web4")...).OK(t)
	j.checkFilled("")
}

// TestWholeDisk deploys a file system on the whole disk, without a partition table.
func TestWholeDisk(t *testing.T) {
	fstab := images.Entry{Path: "etc/fstab", Data: "LABEL=root / ext4 defaults 0 1\n"}
	j := newJob(t, images.Whole("ext4", 64, images.Debian().With(fstab)))
	site.Run(t, j.args("--property", "SWAP=2:64")...).Fails(t, 8, "no partition table for a swap partition; leave out the property SWAP")
	site.Run(t, j.args()...).OK(t)
	check := func(size int64) {
		t.Helper()
		oracle.SoundFS(t, j.disk)
		if got := oracle.FSBytes(t, j.disk, 0); got != size {
			t.Errorf("the file system has %d bytes, want the disk's %d", got, size)
		}
	}
	check(256 * images.MiB)
	site.Run(t, j.customized("--size", "1G", "--name", "web2")...).OK(t)
	check(1024 * images.MiB)
	harness.NothingLeft(t, j.disk, j.image)
}

func readText(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCorruptFilesystems has random damage in metadata: the deployment ends in time, refused
// with a disk that does not boot, or done with a sound file system.
func TestCorruptFilesystems(t *testing.T) {
	needsFilesystems(t)
	for _, fs := range []string{"xfs", "btrfs"} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(fs, " ", seed), func(t *testing.T) {
				j := newJob(t, rootOn(fs, 320))
				mutate(t, j.image, rand.New(rand.NewPCG(seed, 14)))
				o := site.Run(t, j.args("--size", "512M")...)
				switch {
				case o.Took > 100*time.Second:
					t.Errorf("took %v\n%s", o.Took, o)
				case o.Code == 0:
					j.done()
				case o.Code != 3 && o.Code != 7 && o.Code != 8:
					t.Errorf("exit code %d\n%s", o.Code, o)
				default:
					j.undone()
				}
			})
		}
	}
}

// mutate overwrites 32 bytes each in a dozen of the blocks that hold anything, but the
// superblock.
func mutate(t *testing.T, image string, r *rand.Rand) {
	t.Helper()
	const block = 4096
	data := []byte(readText(t, image))
	var used []int64
	for at := images.MiB + block; at+block <= len(data); at += block {
		if at == images.MiB+64<<10 { // the superblock of btrfs
			continue
		}
		if len(bytes.Trim(data[at:at+block], "\x00")) > 0 {
			used = append(used, int64(at))
		}
	}
	for range 12 {
		at := used[r.IntN(len(used))] + r.Int64N(block-32)
		text := make([]byte, 32)
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		scribble(t, image, at, string(text))
	}
}
