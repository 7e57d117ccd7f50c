package spec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRules breaks one rule in each case and wants exactly that finding.
func TestRules(t *testing.T) {
	t.Parallel()
	param := func(name, text string) func(*Parameters, *Input) {
		return func(p *Parameters, _ *Input) { p.Set(name, text, "OSP") }
	}
	property := func(name, text string) func(*Parameters, *Input) {
		return func(p *Parameters, _ *Input) { p.SetProperty(name, text, "--property") }
	}
	input := func(change func(*Input)) func(*Parameters, *Input) {
		return func(_ *Parameters, in *Input) { change(in) }
	}
	missing := ErrNotInThisVersion
	for _, tc := range []struct {
		name     string
		change   func(*Parameters, *Input)
		severity Severity
		rule     error
		want     string // part of the text
	}{
		{"image empty", param(ImgID, ""), Error, ErrRequired, "img_id"},
		{"image on Pithos", param(ImgID, "pithosmap://x/1"), Error, ErrImage, "Pithos"},
		{"image file://", param(ImgID, "file://x"), Warning, ErrImage, "local://"},
		{"image unknown scheme", param(ImgID, "gopher://x"), Error, ErrImage, "gopher"},
		{"image with a line break", param(ImgID, "a\nb"), Error, ErrImage, "control"},
		{"format unknown", param(ImgFormat, "zip"), Error, ErrFormat, "diskdump, raw"},
		{"format empty", param(ImgFormat, ""), Error, ErrFormat, "unknown image format"},
		{"format to come", param(ImgFormat, "QCOW2"), Error, missing, "image format qcow2: not in this version"},
		{"format required", input(func(in *Input) { in.DefaultFormat = "" }), Error, ErrRequired, "img_format"},
		{"password and hash", func(p *Parameters, _ *Input) {
			p.Set(ImgPasswd, "a", "OSP")
			p.Set(ImgPasswdHash, "$6$b", "OSP")
		}, Error, ErrConflict, "exclude each other"},
		{"password empty", param(ImgPasswd, ""), Warning, ErrPassword, "empty"},
		{"password with a break", param(ImgPasswd, "secret\n"), Error, ErrPassword, "line break"},
		{"password long", param(ImgPasswd, strings.Repeat("x", 512)), Error, ErrPassword, "511"},
		{"password too long for blowfish", func(p *Parameters, _ *Input) {
			p.Set(ImgPasswd, strings.Repeat("secret78", 9)+"x", "OSP")
			p.SetProperty(PropHashMethod, "Blowfish", "--property")
		}, Error, ErrPassword, "72 bytes"},
		{"hash empty", param(ImgPasswdHash, ""), Error, ErrPasswordHash, "empty"},
		{"hash with colon", param(ImgPasswdHash, "$6$secret:"), Error, ErrPasswordHash, "colon"},
		{"hash with space", param(ImgPasswdHash, "$6$secret "), Error, ErrPasswordHash, "white space"},
		{"hash long", param(ImgPasswdHash, "$"+strings.Repeat("x", 383)), Error, ErrPasswordHash, "383"},
		{"hash that is a password", param(ImgPasswdHash, "secret"), Warning, ErrPasswordHash, "does not look like"},
		{"keys empty", param(AuthKeys, " \n# comment\n"), Warning, ErrAuthKeys, "no key"},
		{"keys with NUL", param(AuthKeys, "ssh-rsa a\x00b"), Error, ErrAuthKeys, "NUL"},
		{"unknown parameter", param("img_secret", "x"), Warning, ErrUnknownParameter, "img_secret"},
		{"parameter too large", param(ImgID, strings.Repeat("x", maxTextValue+1)), Error, ErrTooLarge, "KiB"},
		{"properties no object", param(ImgProperties, "[]"), Error, ErrType, "JSON object"},
		{"properties duplicate", param(ImgProperties, `{"a":1,"A":2}`), Error, ErrDuplicate, "first at 1:2"},
		{"properties too large", param(ImgProperties, `{"a":"`+strings.Repeat("x", maxProperties)+`"}`), Error, ErrTooLarge, "1024 KiB"},
		{"boolean word", property("DO_SYNC", "maybe"), Warning, ErrBoolean, `"maybe" is not a boolean word, yes is assumed`},
		{"cloud-init", property(PropCloudInit, "on"), Error, missing, "CLOUD_INIT: not in this version"},
		{"NM_NETWORKING", property(PropNMNetworking, "1"), Error, missing, "NM_NETWORKING: not in this version"},
		{"Windows", property(PropOSFamily, "Windows"), Error, missing, "windows: not in this version"},
		{"BSD", property(PropOSFamily, "freebsd"), Error, missing, "freebsd: not in this version"},
		{"Windows by format", func(p *Parameters, _ *Input) {
			p.Set(ImgID, "null", "OSP")
			p.Set(ImgFormat, "ntfsdump", "OSP")
		}, Error, missing, "windows: not in this version"},
		{"family unknown", property(PropOSFamily, "beos"), Error, ErrOSFamily, "beos"},
		{"root partition 0", property(PropRootPartition, "0"), Error, ErrRootPartition, "1 to 128"},
		{"root partition +1", property(PropRootPartition, "+1"), Error, ErrRootPartition, "1 to 128"},
		{"user impossible", property(PropUsers, "root a:b"), Error, ErrUsers, "a:b"},
		{"hash method", property(PropHashMethod, "rot13"), Error, ErrHashMethod, "rot13"},
		{"swap form", property(PropSwap, "x"), Error, ErrSwap, "not there"},
		{"swap disk read-only", func(p *Parameters, in *Input) {
			in.Disks[1].ReadOnly = true
			p.SetProperty(PropSwap, "b", "--property")
		}, Error, ErrSwap, "read-only"},
		{"exclude unknown", property("EXCLUDE_TASK_NOTHING", "yes"), Warning, ErrExclude, "NOTHING"},
		{"exclude fixed", property("EXCLUDE_TASK_MOUNTIMAGE", "yes"), Warning, ErrExclude, "MountImage can not be left out"},
		{"custom task", property(PropCustomTask, "%"), Error, ErrCustomTask, "base64"},
		{"custom task empty", property(PropCustomTask, " "), Error, ErrCustomTask, "empty"},
		{"product key", param(OSProductKey, ""), Error, ErrProductKey, "XXXXX"},
		{"answer file", param(OSAnswerFile, "http://x/a.xml"), Warning, ErrIgnored, "Windows is not in this version"},
		{"user-data without CLOUD_INIT", param(CloudUserdata, "x"), Warning, ErrIgnored, "CLOUD_INIT"},
		{"personality no array", param(ImgPersonality, "{}"), Error, ErrType, "JSON array"},
		{"personality empty", param(ImgPersonality, "[]"), Warning, ErrPersonality, "no file"},
		{"personality no object", param(ImgPersonality, "[1]"), Error, ErrType, "img_personality[0]"},
		{"personality no path", param(ImgPersonality, `[{"contents":""}]`), Error, ErrRequired, "no path"},
		{"personality no contents", param(ImgPersonality, `[{"path":"/a","contents":null}]`), Error, ErrRequired, "no contents"},
		{"personality directory", param(ImgPersonality, `[{"path":"/a/","contents":""}]`), Error, ErrPersonality, "directory"},
		{"personality octal mode", param(ImgPersonality, `[{"path":"/a","contents":"","mode":"0644"}]`), Error, ErrPersonality, "decimal"},
		{"personality mode large", param(ImgPersonality, `[{"path":"/a","contents":"","mode":4096}]`), Error, ErrPersonality, "4095"},
		{"personality mode fraction", param(ImgPersonality, `[{"path":"/a","contents":"","mode":1.5}]`), Error, ErrPersonality, "decimal"},
		{"personality owner", param(ImgPersonality, `[{"path":"/a","contents":"","owner":"a:b"}]`), Error, ErrPersonality, "owner"},
		{"personality owner type", param(ImgPersonality, `[{"path":"/a","contents":"","owner":5}]`), Error, ErrType, "owner"},
		{"personality unknown key", param(ImgPersonality, `[{"path":"/a","contents":"","xattr":""}]`), Warning, ErrUnknownKey, "img_personality[0].xattr"},
		{"file flag", func(p *Parameters, _ *Input) { p.AddFile(File{Path: "etc/motd"}, "--file") }, Error, ErrFileFlag, "not absolute"},
		{"files too large", func(p *Parameters, _ *Input) {
			p.AddFile(File{Path: "/a", Contents: make([]byte, maxInjected+1)}, "--file")
		}, Error, ErrTooLarge, "10 MiB"},
		{"no disk", input(func(in *Input) { in.Disks = nil }), Error, ErrRequired, "no disk"},
		{"first disk read-only", input(func(in *Input) { in.Disks[0].ReadOnly = true }), Error, ErrDisk, "read-only"},
		{"disk without path", input(func(in *Input) { in.Disks[1].Path = "" }), Error, ErrDisk, "disk[1]"},
		{"disk twice", input(func(in *Input) { in.Disks[1] = in.Disks[0] }), Error, ErrDisk, "twice"},
		{"disk URI", input(func(in *Input) { in.Disks[1] = Disk{URI: "json:{}"} }), Error, ErrDisk, "has to begin with one of rbd"},
		{"disk URI with a secret", input(func(in *Input) { in.Disks[1] = Disk{URI: "rbd:x:key=y"} }), Error, ErrDisk, "let this node's configuration hold it"},
		{"disk URI twice", input(func(in *Input) { in.Disks = append(in.Disks, Disk{URI: "rbd:x/y"}, Disk{URI: "rbd:x/y"}) }), Error, ErrDisk, "twice"},
		{"disk URI in two spellings", input(func(in *Input) {
			in.Disks = append(in.Disks, Disk{URI: "rbd:x/y"}, Disk{URI: "rbd:x/y:id=admin"})
		}), Error, ErrDisk, "twice"},
		{"disk format to come", input(func(in *Input) { in.DiskFormat = "qcow2" }), Error, ErrNotInThisVersion, "--disk-format"},
		{"disk format", input(func(in *Input) { in.DiskFormat = "floppy" }), Error, ErrDisk, `format "floppy" is unknown`},
		{"size", input(func(in *Input) { in.Size = "ten" }), Error, ErrSize, "--size"},
		{"NIC flag", input(func(in *Input) { in.NICFlags = []string{"mac=x"} }), Error, ErrNIC, "nic[0]"},
		{"NIC", input(func(in *Input) { in.NICs = []NIC{{IP: "x"}} }), Error, ErrNIC, "NIC_n"},
		{"MAC twice", input(func(in *Input) {
			in.NICFlags = []string{"mac=aa:00:00:00:00:01", "mac=AA:00:00:00:00:01"}
		}), Error, ErrNIC, "two NICs"},
		{"no name", input(func(in *Input) { in.Name = "" }), Error, ErrRequired, "--name"},
		{"bad name", input(func(in *Input) { in.Name = "a_b" }), Error, ErrHostname, "a_b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, in := withImage(), deployInput()
			p.Set(InstProperties, `{"USERS":"root"}`, "OSP")
			tc.change(p, &in)
			s, problems := Build(p, in)
			if (s == nil) != (tc.severity == Error) {
				t.Errorf("Build = %v, want a Spec only without errors; %v", s, problems)
			}
			if !errors.Is(problems, tc.rule) {
				t.Fatalf("problems %v do not wrap %v", problems, tc.rule)
			}
			found := problems.filter(tc.severity)
			if len(found) != 1 || !errors.Is(found[0], tc.rule) || !strings.Contains(found[0].Error(), tc.want) {
				t.Errorf("problems = %v, want one %s with %q", problems, tc.severity, tc.want)
			}
			if strings.Contains(problems.Error(), "secret") && tc.name != "unknown parameter" {
				t.Errorf("problems show a secret: %v", problems)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	var p Parameters
	p.AddJSON([]byte(`{"img_format":"zip","img_properties":{"SWAP":"x:y","ROOT_PARTITION":"z"},"img_personality":"[{}]"}`), "p.json")
	_, problems := Build(&p, Input{Mode: ModeDeploy})
	for _, rule := range []error{ErrRequired, ErrFormat, ErrSwap, ErrRootPartition} {
		if !errors.Is(problems, rule) {
			t.Errorf("problems %v do not wrap %v", problems, rule)
		}
	}
}

// everything returns parameters with every kind of value.
func everything() *Parameters {
	p := withImage()
	p.Set(ImgPasswd, "hunter2", "--password-file")
	p.Set(AuthKeys, "ssh-ed25519 AAAA one\r\n\n# no\nssh-rsa BBBB two\n", "--authorized-keys")
	p.Set(ImgProperties, "{\"users\": \"root admin\troot\", \"Swap\": \"3:256\", \"OS\": \"debian\", \"n\": 5, \"DESCRIPTION\": \"two\nlines\"}", "OSP")
	p.SetProperty(PropCustomTask, base64.StdEncoding.EncodeToString([]byte("#!/bin/bash\n")), "--property")
	p.Set(ImgPersonality, "[{\"path\":\"/a\",\"contents\":\"Zmly\nc3Q=\"},{\"path\":\"/a\",\"contents\":\"bGFzdA==\",\"owner\":\"www\",\"mode\":420}]", "OSP")
	p.AddFile(File{Path: "/b", Contents: []byte("b"), Mode: 0o600}, "--file")
	return p
}

func TestBuild(t *testing.T) {
	t.Parallel()
	in := deployInput()
	in.Size = "10G"
	in.NICFlags = []string{"mac=aa:00:00:00:00:01,ip=192.0.2.5,subnet=192.0.2.0/24,tags=a b", ""}
	s, problems := Build(everything(), in)
	if s == nil || len(problems) > 0 {
		t.Fatalf("Build: %v", problems)
	}
	password := Secret("hunter2")
	properties := map[string]string{"USERS": "root admin\troot", "SWAP": "3:256", "OS": "debian", "N": "5", "DESCRIPTION": "two\nlines"}
	custom := map[string]string{"CUSTOM_TASK": "IyEvYmluL2Jhc2gK"}
	merged := map[string]string{"CUSTOM_TASK": "IyEvYmluL2Jhc2gK"}
	for k, v := range properties {
		merged[k] = v
	}
	want := &Spec{
		Mode: ModeDeploy, Name: "web1.example.org", Image: "debian.raw", Format: DiskDump,
		Disks:    []Disk{{Path: "/dev/a", Size: 10 << 30}, {Path: "/dev/b"}},
		NICs:     []NIC{{MAC: "aa:00:00:00:00:01", IP: "192.0.2.5", Subnet: "192.0.2.0/24", Tags: []string{"a", "b"}}, {}},
		Password: &password, AuthorizedKeys: []string{"ssh-ed25519 AAAA one", "ssh-rsa BBBB two"},
		Properties: merged, ImageProperties: properties, InstanceProperties: custom,
		Swap: &Swap{Partition: 3, MiB: 256}, CustomTask: []byte("#!/bin/bash\n"),
		Files: []File{{Path: "/a", Contents: []byte("last"), Owner: "www", Mode: 0o644}, {Path: "/b", Contents: []byte("b"), Mode: 0o600}},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("Build (-want +got):\n%s", diff)
	}
	if in.Disks[0].Size != 0 {
		t.Error("Build changed its input")
	}
}

func TestSpecJSONRoundTrip(t *testing.T) {
	t.Parallel()
	s, problems := Build(everything(), deployInput())
	if s == nil {
		t.Fatal(problems)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, &back); diff != "" {
		t.Errorf("after a round trip (-before +after):\n%s", diff)
	}
}

func TestSecretsAreNeverFormatted(t *testing.T) {
	t.Parallel()
	s, _ := Build(everything(), deployInput())
	for _, v := range []any{s, *s, everything(), s.Credentials(map[string]Secret{"root": "hunter2"}, nil)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
				t.Errorf("%s of %T shows the password: %s", verb, v, text)
			}
		}
	}
}
