package vm

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"snf-image/tests/corpus"
	"snf-image/tests/harness"
	"snf-image/tests/images"
)

// hostileImage is one that is refused.
type hostileImage struct {
	name, path string
	format     string // that it is deployed as
	code       int
	want       string // in the error
}

// TestRefusedImages deploys every image of the corpus, as it is and in a layer: each is
// refused by name with little memory, nothing of other files comes near it, and the disk is
// as it was or boots nothing.
func TestRefusedImages(t *testing.T) {
	harness.Gate(t, "qemu-img", "xz", "zstd", "bzip2", "lz4", "time")
	t.Parallel()
	dir := harness.Dir(t)
	disk, secret := filepath.Join(dir, "disk"), harness.File(t, dir, "secret", strings.Repeat(canary, 1<<16))
	in := site.With(t, "SPOOL_DIR="+dir)
	stale(t, disk, 8)
	before, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(refusedImages(t, dir), packedImages(t, dir), bombs(t, dir), leading(t, dir, secret))
	for _, h := range all {
		o, memory := runMeasured(t, in, "deploy", "--image", h.path, "--format", h.format, "--disk", disk, "--name", "web1", "--property", "EXCLUDE_ALL_TASKS=yes")
		o.Fails(t, h.code, h.want)
		after, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, images.MiB)
		switch {
		case bytes.Contains(after, []byte(canary)) || strings.Contains(o.Stdout+o.Stderr, canary):
			t.Errorf("%s: bytes of another file came out", h.name)
		case memory > 160<<10:
			t.Errorf("%s: it took %d KiB of memory", h.name, memory)
		case !bytes.Equal(after, before) && (!bytes.HasPrefix(after, zeros) || !bytes.HasSuffix(after, zeros) || len(after) != len(before)):
			t.Errorf("%s: the disk was changed, and is not blank", h.name)
		}
		if !bytes.Equal(after, before) {
			stale(t, disk, 8)
		}
		if err := os.Remove(h.path); err != nil {
			t.Error(err)
		}
	}
	harness.NothingLeft(t, disk)
}

// runMeasured runs the program to its end, and returns the most memory in KiB that one of its
// processes had. What the kernel says of a child of this process would begin with the memory
// of this one (setmax_mm_hiwater_rss in exec).
func runMeasured(t *testing.T, in *harness.Installation, args ...string) (o harness.Outcome, memory int64) {
	t.Helper()
	said := filepath.Join(t.TempDir(), "memory")
	o = in.StartWrapped(t, []string{"time", "-q", "-o", said, "-f", "%M"}, args...).Wait()
	text, err := os.ReadFile(said)
	if err == nil {
		memory, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	}
	if err != nil {
		t.Errorf("the memory of %s: %v", harness.Quote(args), err)
	}
	return o, memory
}

// layerTools wrap the file $1 as $2.
var layerTools = []string{
	"gzip -1 <$1 >$2", "xz -0 <$1 >$2", "zstd -q -1 <$1 >$2", "bzip2 -1 <$1 >$2", "lz4 -q -1 <$1 >$2", "tar -C ${1%/*} -cf $2 ${1##*/}", "tar -C ${1%/*} -c ${1##*/} | gzip -1 >$2",
}

// wrap packs a file, one tool after the other.
func wrap(t *testing.T, i int, path string) string {
	t.Helper()
	script(t, layerTools[i%len(layerTools)], path, path+".packed")
	return path + ".packed"
}

func script(t *testing.T, text string, args ...string) {
	t.Helper()
	if out, err := exec.Command("bash", append([]string{"-ec", text, "bash"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", text, err, out)
	}
}

// refusedImages are the sound images with one thing wrong, as they are and in a layer. One
// that a layer lets be read in one pass meets another reader.
func refusedImages(t *testing.T, dir string) (list []hostileImage) {
	t.Helper()
	sound := map[string][]byte{}
	add := func(name string, r corpus.Refusal, plain, packed bool) {
		k := corpus.Kinds()[r.Kind]
		if sound[r.Kind] == nil {
			sound[r.Kind] = k.Bytes(t)
		}
		path := filepath.Join(dir, fmt.Sprint("image", len(list)))
		if err := os.WriteFile(path, r.Make(sound[r.Kind]), 0o600); err != nil {
			t.Fatal(err)
		}
		format, text := "("+k.Format+"|"+strings.ToUpper(k.Format)+")", regexp.QuoteMeta(r.Text)
		want := "reading the image, on .*(" + format + ".*" + text + "|" + text + ".*" + format + ").*; "
		if strings.Contains(r.Text, k.Format) {
			want = "reading the image, on .*" + text + ".*; "
		}
		if packed {
			list = append(list, hostileImage{name + ", packed", wrap(t, len(list), path), k.Format, 3, want})
		}
		if plain {
			list = append(list, hostileImage{name, path, k.Format, 3, want})
		}
	}
	all := corpus.Refusals()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		add(name, all[name], true, all[name].Kind != "packed")
	}
	all = corpus.Streamed()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		add(name, all[name], false, true)
	}
	return list
}

// packedImages are damaged layers, and what is two things at once.
func packedImages(t *testing.T, dir string) (list []hostileImage) {
	t.Helper()
	all := corpus.Packed()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s, work := all[name], t.TempDir()
		script(t, "cd $1; (head -c 1M /dev/zero; head -c 2M /dev/urandom; head -c 512 /dev/zero) >disk.raw; "+s.Text, work)
		path := filepath.Join(dir, fmt.Sprint("packed", len(list)))
		script(t, "mv $1/out $2", work, path)
		list = append(list, hostileImage{name, path, s.Format, 3, "reading the image, on .*" + regexp.QuoteMeta(s.Error) + ".*; "})
	}
	return list
}

// bombs are small, and large when they are unpacked.
func bombs(t *testing.T, dir string) (list []hostileImage) {
	t.Helper()
	const large = "the disk is too small: it has 8388608 bytes and the image goes on"
	for i, b := range []struct {
		text string // writes the image to $1
		code int
		want string
	}{
		{"head -c 200M /dev/zero | gzip -1 >$1", 4, large},
		{"head -c 200M /dev/zero | xz -0 -T2 >$1", 4, large},
		{"head -c 200M /dev/zero | xz -0 -T1 >$1", 4, large},
		{"head -c 1G /dev/zero | zstd -q >$1", 4, large},
		{"head -c 200M /dev/zero | bzip2 -9 >$1", 4, large},
		{"head -c 200M /dev/zero | lz4 -q >$1", 4, large},
		{"head -c 200M /dev/zero | gzip -1 | xz -0 | zstd -q | bzip2 -1 >$1", 4, large},
		{"truncate -s 1T $1.disk; tar -C ${1%/*} -S -cf $1 ${1##*/}.disk; rm $1.disk", 4, "it needs a disk of 1099511627776 bytes|the image needs 1099511627776"},
		{"qemu-img create -q -f qcow2 $1.q 4M; (cat $1.q; head -c 200M /dev/zero) | gzip -1 >$1; rm $1.q", 3, "decoding qcow2: .*it goes on after [0-9]{7,8} bytes"},
		{"qemu-img create -q -f vdi $1.q 4M; (cat $1.q; head -c 200M /dev/zero) | xz -0 >$1; rm $1.q", 3, "decoding vdi: .*it goes on after [0-9]{7,8} bytes"},
		{"qemu-img create -q -f vhdx $1.q 4M; (cat $1.q; head -c 200M /dev/zero) | zstd -q >$1; rm $1.q", 3, "decoding vhdx: .*it goes on after [0-9]{7,8} bytes"},
		{"qemu-img create -q -f vmdk $1.q 4M; (cat $1.q; head -c 200M /dev/zero) | bzip2 >$1; rm $1.q", 3, "decoding vmdk: .*it goes on after [0-9]{7,8} bytes"},
		{"qemu-img create -q -f vpc $1.q 4M; (cat $1.q; head -c 200M /dev/zero) | lz4 -q >$1; rm $1.q", 3, "decoding vhd: .*it goes on after [0-9]{7,8} bytes"},
	} {
		path := filepath.Join(dir, fmt.Sprint("bomb", i))
		script(t, b.text, path)
		list = append(list, hostileImage{b.text, path, "auto", b.code, b.want})
	}
	return list
}

// leading are images that lead to another file, the secret $2.
func leading(t *testing.T, dir, secret string) (list []hostileImage) {
	t.Helper()
	for i, l := range []struct{ text, want string }{
		{`qemu-img create -q -f qcow2 -F raw -b $2 $1`, "it has a backing file"},
		{`qemu-img create -q -f qcow2 -u -F raw -b "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"$2\"}}" $1 4M`, "it has a backing file"},
		{`qemu-img create -q -f qcow2 -o data_file=$1.d,data_file_raw=on $1 64K; qemu-img amend -f qcow2 -o data_file=$2 $1; rm $1.d`, "it has an external data file"},
		{`qemu-img convert -f raw -O vmdk $2 $2.vmdk; qemu-img create -q -f vmdk -F vmdk -b $2.vmdk $1; rm $2.vmdk`, "differs from another image"},
		{`printf '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8192 FLAT "%s" 0\n' $2 >$1`, "it is the descriptor of a VMDK image in several files"},
		{`ln -s $2 $1.disk; tar -C ${1%/*} -cf $1 ${1##*/}.disk; rm $1.disk`, "none of its members is a disk"},
		{`ln $2 $1.a; ln $2 $1.b; tar -C ${1%/*} -c ${1##*/}.a ${1##*/}.b | tail -c +$((1+512+851968)) >$1; rm $1.a $1.b`, "none of its members is a disk"},
		{`printf '<Envelope><File href="%s"/></Envelope>' $2 >$1.ovf; tar -C ${1%/*} -cf $1 ${1##*/}.ovf; rm $1.ovf`, "it is not a whole number of 512-byte sectors|none of its members is a disk"},
	} {
		path := filepath.Join(dir, fmt.Sprint("leading", i))
		script(t, l.text, path, secret)
		list = append(list, hostileImage{l.text, path, "auto", 3, "reading the image, on .*(" + l.want + ").*; "})
	}
	return list
}
