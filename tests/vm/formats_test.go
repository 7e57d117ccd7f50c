package vm

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
	"snf-image/tests/vmdk"
)

// packings are ways to store the same disk, with the programs that people use.
var packings = []struct {
	name, script string // makes $1.NAME of $1
	format       string
	layers       []string
}{
	{"qcow2", "qemu-img convert -c -O qcow2 $1 $1.qcow2", "qcow2", nil},
	{"qcow2.xz", "qemu-img convert -O qcow2 -o compression_type=zstd,extended_l2=on $1 $1.q; xz -1 -c $1.q >$1.qcow2.xz", "qcow2", []string{"xz"}},
	{"raw.xz", "xz -1 -c $1 >$1.raw.xz", "raw", []string{"xz"}},
	{"zst", "zstd -q -c $1 >$1.zst", "raw", []string{"zstd"}},
	{"gz", "gzip -1 -c $1 >$1.gz", "raw", []string{"gzip"}},
	{"vmdk.zst", "qemu-img convert -O vmdk $1 $1.v; zstd -q -c $1.v >$1.vmdk.zst", "vmdk", []string{"zstd"}},
	{"ova", "echo '<Envelope/>' >$1.ovf; tar -C ${1%/*} -cf $1.ova ${1##*/}.ovf ${1##*/}.exported", "vmdk", []string{"tar"}},
	{"vhd", "qemu-img convert -O vpc -o force_size=on $1 $1.vhd", "vhd", nil},
	{"vhdx", "qemu-img convert -O vhdx $1 $1.vhdx", "vhdx", nil},
	{"vdi.gz", "qemu-img convert -O vdi $1 $1.vdi; gzip -1 $1.vdi", "vdi", []string{"gzip"}},
	{"tar.bz2", "tar -C ${1%/*} -S -c ${1##*/} | bzip2 >$1.tar.bz2", "raw", []string{"bzip2", "tar"}},
}

// pack stores the image of j in every way.
func pack(t *testing.T, j *job) {
	t.Helper()
	disk, err := os.ReadFile(j.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.image+".exported", vmdk.StreamOptimized(disk), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range packings {
		if out, err := exec.Command("bash", "-ec", p.script, "bash", j.image).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", p.name, err, out)
		}
	}
}

// serveFiles serves a directory on this machine.
func serveFiles(t *testing.T, dir string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s
}

// TestFormats writes the same disk from everything it can be stored in, from a file and
// from a server, over a disk that held something else.
func TestFormats(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	pack(t, j)
	server := serveFiles(t, j.dir)
	in := site.With(t, "ALLOW_URL="+server.URL, "SPOOL_DIR="+j.dir)
	size := oracle.Size(t, j.image)
	want := oracle.Digest(t, j.image, 0, size)
	for _, p := range packings {
		from := []string{server.URL + "/" + filepath.Base(j.image) + "." + p.name, j.image + "." + p.name}
		if p.format != "raw" && p.format != "qcow2" {
			from = from[:1] // their files are read in every way by the tests of the readers
		}
		for _, image := range from {
			stale(t, j.disk, 256)
			file := filepath.Join(j.dir, "report.json")
			in.Run(t, "deploy", "--image", image, "--disk", j.disk, "--name", "web1", "--report", file,
				"--property", "EXCLUDE_ALL_TASKS=yes").OK(t)
			if oracle.Digest(t, j.disk, 0, size) != want || !oracle.Zero(t, j.disk, size, oracle.Size(t, j.disk)-size) {
				t.Errorf("%s: the disk differs from the image", image)
			}
			got := readReport(t, file).Image
			wanted := report.ImageRead{ID: image, Format: p.format, Layers: p.layers, Size: size, Stored: oracle.Size(t, j.image+"."+p.name), Digest: got.Digest, DataBytes: got.DataBytes}
			wanted.Verification = &report.Verification{Demand: "if-present", DemandedBy: "the default of VERIFY_IMAGES"}
			if diff := cmp.Diff(&wanted, got); diff != "" {
				t.Errorf("the report (-want +got):\n%s", diff)
			}
			harness.NothingLeft(t, j.disk, j.image)
		}
	}
}

// TestPackedImage customizes what comes in qcow2 within xz from a server, and looks at it
// before.
func TestPackedImage(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	pack(t, j)
	packed := j.image + ".qcow2.xz"
	server := serveFiles(t, j.dir)
	in := site.With(t, "ALLOW_URL="+server.URL, "SPOOL_DIR="+j.dir)
	size := oracle.Size(t, j.image)
	dry := in.Run(t, "deploy", "--image", packed, "--disk", j.disk, "--size", "256M", "--name", "web1", "--dry-run").OK(t)
	if line := fmt.Sprintf("%s, a disk of %d bytes, stored in %d, qcow2 in xz", packed, size, oracle.Size(t, packed)); !strings.Contains(dry.Stdout, line) {
		t.Errorf("the dry run does not say %q:\n%s", line, dry.Stdout)
	}
	inspected := in.Run(t, "inspect", packed).OK(t)
	if !regexp.MustCompile(`unpacking the image: .*, 100\.00 %(?s:.*) copied .*, 100\.00 %`).MatchString(inspected.Stderr) {
		t.Errorf("inspect does not say how far the unpacking is:\n%s", inspected.Stderr)
	}
	if quiet := in.Run(t, "inspect", "--json", "--progress", "none", packed).OK(t); strings.Contains(quiet.Stderr, "unpacking the image") || strings.Contains(quiet.Stderr, "copied") {
		t.Errorf("inspect without progress says %s", quiet.Stderr)
	}
	for _, line := range []string{"Format +qcow2 in xz", "System +Debian GNU/Linux", "OSFAMILY=linux ROOT_PARTITION=1"} {
		if !regexp.MustCompile(line).MatchString(inspected.Stdout) {
			t.Errorf("inspect does not say %q:\n%s", line, inspected.Stdout)
		}
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL + "/" + filepath.Base(packed)
	args := func(sum string) []string {
		return []string{"deploy", "--image", url + "#sha256=" + sum, "--disk", j.disk, "--size", "256M", "--name", "web1.example.org", "--property", "USERS=root"}
	}
	in.Run(t, args(strings.Repeat("ab", 32))...).Fails(t, 3, `verifying the image, on .*: --image: its digest is not the one that was given: sha256 is [0-9a-f]{64}, not (ab){32}; fetch the image again`)
	j.undone()
	in.Run(t, args(fmt.Sprintf("%x", sha256.Sum256(b)))...).OK(t)
	j.done()
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("/etc/hostname = %q", got)
	}
}

// TestFormatsRefused keeps disks as they are that an image is not for.
func TestFormatsRefused(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	secret := j.file("secret.raw", strings.Repeat(canary, 1<<16))
	script := `qemu-img create -q -f qcow2 -F raw -b "$2" "$1.backed"
		qemu-img create -q -f qcow2 -o data_file="$1.data,data_file_raw=on" "$1.outside" 64M
		qemu-img create -q -f qcow2 "$1.large" 1T
		qemu-img convert -O qcow2 "$1" "$1.cut"; truncate -s -1M "$1.cut"
		qemu-img convert -O vmdk -o subformat=monolithicFlat "$1" "$1.flat"
		qemu-img convert -f raw -O vmdk "$2" "$2.vmdk"; qemu-img create -q -f vmdk -F vmdk -b "$2.vmdk" "$1.parent"
		qemu-img convert -O vpc -o subformat=fixed,force_size=on "$1" "$1.fixed"
		head -c 1M "$1" | xz >"$1.cut.xz"; truncate -s -100 "$1.cut.xz"
		cp "$1" "$1.2"; tar -C "${1%/*}" -cf "$1.tar" "${1##*/}" "${1##*/}.2"`
	if out, err := exec.Command("bash", "-ec", script, "bash", j.image, secret).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stale(t, j.disk, 256)
	before := oracle.Digest(t, j.disk, 0, -1)
	for _, tc := range []struct {
		name, format string
		code         int
		want         string
		begun        bool
	}{
		{"backed", "auto", 3, "it has a backing file", false},
		{"outside", "qcow2", 3, "it has an external data file", false},
		{"large", "qcow2", 4, `disk\.raw: it has 268435456 bytes, the image needs 1099511627776`, false},
		{"cut", "auto", 3, "lies outside of the file", false},
		{"flat", "auto", 3, "it is the descriptor of a VMDK image in several files", false},
		{"parent", "vmdk", 3, "it holds only what differs from another image", false},
		{"fixed", "auto", 3, "it is both a raw image and a fixed VHD image; name its format", false},
		{"cut", "diskdump", 3, "it is a qcow2 image, not a dump of a disk; name its format", false},
		{"cut.xz", "raw", 3, "unpacking xz: the image is shorter than it was, or than it says", false}, // small: unpacked before the first write
		{"tar", "auto", 3, "it holds more than one disk", true},
	} {
		out := site.Run(t, "deploy", "--image", j.image+"."+tc.name, "--format", tc.format, "--disk", j.disk, "--name", "web1").Fails(t, tc.code, tc.want)
		if strings.Contains(out.Stdout+out.Stderr, canary) {
			t.Errorf("%s: the secret is in the log", tc.name)
		}
		if tc.begun {
			j.undone()
		} else if oracle.Digest(t, j.disk, 0, -1) != before {
			t.Errorf("%s: the disk was changed", tc.name)
		}
	}
}
