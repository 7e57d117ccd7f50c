package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/sums"
	"snf-image/tests/gpg"
)

// TestBuilds holds names of vendors against the names that their builds have.
func TestBuilds(t *testing.T) {
	t.Parallel()
	const (
		rocky = "Rocky-10-GenericCloud-Base.latest.x86_64.qcow2"
		alma  = "AlmaLinux-9-GenericCloud-latest.x86_64.qcow2"
		leap  = "Leap-16.0-Minimal-VM.x86_64-Cloud.qcow2"
	)
	for _, tc := range []struct {
		asked, name string
		want        bool
	}{
		{rocky, "Rocky-10-GenericCloud-Base-10.1-20260701.0.x86_64.qcow2", true},
		{rocky, rocky, true},
		{rocky, "Rocky-9-GenericCloud-Base-9.6-20250531.0.x86_64.qcow2", false},
		{rocky, "Rocky-9.10-GenericCloud-Base-9.10-20260531.0.x86_64.qcow2", false},
		{rocky, "Rocky-10-GenericCloud-LVM-10.1-20260701.0.x86_64.qcow2", false},
		{rocky, "Rocky-10-GenericCloud-Base-10.1-20260701.0.aarch64.qcow2", false},
		{rocky, "Rocky-10-GenericCloud-Base-10.1-20260701.0.x86_64.qcow2.xz", false},
		{alma, "AlmaLinux-9-GenericCloud-9.6-20250522.x86_64.qcow2", true},
		{alma, "AlmaLinux-8-GenericCloud-8.9-20231128.x86_64.qcow2", false},
		{alma, "AlmaLinux-9-GenericCloud-ext4-9.6-20250522.x86_64.qcow2", false},
		{alma, "AlmaLinux-9-GenericCloud-latest.x86_64_v2.qcow2", false},
		{leap, "Leap-16.0-Minimal-VM.x86_64-16.0.0-Cloud-Build16.2.qcow2", true},
		{leap, "openSUSE-Leap-15.6-Minimal-VM.x86_64-15.6.0-Cloud-Build19.106.qcow2", false},
		{leap, "Leap-16.1-Minimal-VM.x86_64-16.0-Cloud-Build1.1.qcow2", false},
		{leap, "Leap-16.0-Minimal-VM.x86_64-Cloud", false},
		{"openSUSE-Tumbleweed-Minimal-VM.x86_64-Cloud.qcow2", "openSUSE-Tumbleweed-Minimal-VM.x86_64-1.0.0-Cloud-Snapshot20260701.qcow2", true},
		{"CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2", "CentOS-Stream-GenericCloud-10-20260720.0.x86_64.qcow2", true},
		{"CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2", "CentOS-Stream-GenericCloud-9-20260720.0.x86_64.qcow2", false},
		{"debian-13-generic-amd64.qcow2", "debian-13-generic-amd64-20260712-2537.qcow2", true},
		{"debian-13-generic-amd64.qcow2", "debian-12-generic-amd64-20260712-2537.qcow2", false},
		{"ubuntu-26.04-server-cloudimg-amd64.img", "ubuntu-26.04-server-cloudimg-amd64v3.img", false},
		{"Arch-Linux-x86_64-cloudimg.qcow2", "Arch-Linux-x86_64-basic-20260715.556894.qcow2", false},
		{"Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2", "Fedora-Cloud-Base-Generic-43-1.7.x86_64.qcow2", false},
		{"latest", "debian-13.qcow2", false},
		{rocky, "", false},
	} {
		if got := isBuild(tc.asked, tc.name); got != tc.want {
			t.Errorf("isBuild(%q, %q) = %v", tc.asked, tc.name, got)
		}
	}
}

// TestAnotherRelease has a server that shows another release with its signed checksums, by a
// redirect or in a file that has that name alone.
func TestAnotherRelease(t *testing.T) {
	t.Parallel()
	const asked, build, another = "os-2-cloud.latest.img", "os-2-cloud-2.7.img", "os-1-cloud.img"
	g := gpg.New(t)
	key := g.Key("Vendor <vendor@example.org>", "ed25519", "never")
	keys := ring(t, g)
	digest := sha256.Sum256(imageBytes)
	signed := func(file, text string) beside {
		return beside{file: []byte(text), file + ".asc": g.Sign(key, []byte(text))}
	}
	line := func(name string) string { return hex.EncodeToString(digest[:]) + "  " + name + "\n" }
	of := func(names ...string) []string { return append([]string{asked}, names...) }
	for name, tc := range map[string]struct {
		files   beside
		names   []string
		local   bool
		free    bool
		pattern string
		want    error
	}{
		"a build":                   {files: signed("SHA256SUMS", line(build)), names: of(build)},
		"both names":                {files: signed("SHA256SUMS", line(another)+line(asked)), names: of(another)},
		"another release":           {files: signed("SHA256SUMS", line(another)), names: of(another), want: ErrOther},
		"another, of a link here":   {files: signed("SHA256SUMS", line(another)), names: of(another), local: true},
		"another, no key is bound":  {files: signed("SHA256SUMS", line(another)), names: of(another), free: true},
		"another, by the entry":     {files: signed("SHA256SUMS", line(another)), names: of(another), pattern: "os-*-cloud.img"},
		"another than the entry's":  {files: signed("SHA256SUMS", line(another)), names: of(another), pattern: "os-2*.img", want: ErrOther},
		"another, nobody signed":    {files: beside{"SHA256SUMS": []byte(line(another))}, names: of(another), want: ErrDemand},
		"an image that is signed":   {files: beside{asked + ".sha256": []byte(line(another)), asked + ".asc": g.Sign(key, imageBytes)}, names: of()},
		"one of many, by the entry": {files: signed("SHA256SUMS", line("os-x-cloud.img")+line("os-x-disk.img")), names: of(), pattern: "os-*-cloud.img"},
		"one of many, by nobody":    {files: signed("SHA256SUMS", line("os-x-cloud.img")+line("os-x-disk.img")), names: of(), want: ErrDemand},
		"two, by the entry":         {files: signed("SHA256SUMS", line("os-x-cloud.img")+other+"  os-y-cloud.img\n"), names: of(), pattern: "os-*-cloud.img", want: sums.ErrAmbiguous},
		"the build alone":           {files: signed(asked+".sha256", line(build)), names: of()},
		"another alone":             {files: signed(asked+".sha256", line(another)), names: of(), want: ErrOther},
		"another alone, redirected": {files: signed(asked+".sha256", line(another)), names: of(another), want: ErrOther},
		"another alone, free":       {files: signed(asked+".sha256", line(another)), names: of(), free: true},
		"alone without a name":      {files: signed(asked+".sha256", hex.EncodeToString(digest[:])), names: of(another)},
	} {
		claim := Claim{SignedName: tc.pattern}
		if !tc.free {
			claim.Keys, claim.Demand = []string{key}, Required
		}
		c, err := Find(t.Context(), keys, claim, Place{Names: tc.names, Read: tc.files.read, Remote: !tc.local})
		if err == nil {
			_, err = c.Read(bytes.NewReader(imageBytes))
		}
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// FuzzBuild: an image is a build of itself, and what is one has all of its words.
func FuzzBuild(f *testing.F) {
	f.Add("os-2-cloud.latest.img", "os-2-cloud-2.7.img")
	f.Add("a.1.2-x86_64", "a.1.2-Build3.4-x86_64")
	f.Fuzz(func(t *testing.T, asked, name string) {
		if !isBuild(asked, asked) {
			t.Errorf("%q is not a build of itself", asked)
		}
		if !isBuild(asked, name) {
			return
		}
		for _, w := range word.FindAllString(asked, -1) {
			if !slices.Contains(moving, w) && !strings.Contains(name, w) {
				t.Errorf("%q counts as a build of %q", name, asked)
			}
		}
	})
}
