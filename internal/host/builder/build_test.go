package builder

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"

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
	missing := problem.ErrNotInThisVersion
	for _, tc := range []struct {
		name     string
		change   func(*Parameters, *Input)
		severity problem.Severity
		rule     error
		want     string // part of the text
	}{
		{"image empty", param(spec.ImgID, ""), problem.Error, ErrRequired, "img_id"},
		{"image on Pithos", param(spec.ImgID, "pithosmap://x/1"), problem.Error, ErrImage, "Pithos"},
		{"image file://", param(spec.ImgID, "file://x"), problem.Warning, ErrImage, "local://"},
		{"image unknown scheme", param(spec.ImgID, "gopher://x"), problem.Error, ErrImage, "gopher"},
		{"image with a line break", param(spec.ImgID, "a\nb"), problem.Error, ErrImage, "control"},
		{"format unknown", param(spec.ImgFormat, "zip"), problem.Error, ErrFormat, "diskdump, raw"},
		{"format empty", param(spec.ImgFormat, ""), problem.Error, ErrFormat, "unknown image format"},
		{"format required", input(func(in *Input) { in.DefaultFormat = "" }), problem.Error, ErrRequired, "img_format"},
		{"password and hash", func(p *Parameters, _ *Input) {
			p.Set(spec.ImgPasswd, "a", "OSP")
			p.Set(spec.ImgPasswdHash, "$6$b", "OSP")
		}, problem.Error, ErrConflict, "exclude each other"},
		{"password empty", param(spec.ImgPasswd, ""), problem.Warning, ErrPassword, "empty"},
		{"password with a break", param(spec.ImgPasswd, "secret\n"), problem.Error, ErrPassword, "line break"},
		{"password long", param(spec.ImgPasswd, strings.Repeat("x", 512)), problem.Error, ErrPassword, "511"},
		{"password too long for blowfish", func(p *Parameters, _ *Input) {
			p.Set(spec.ImgPasswd, strings.Repeat("secret78", 9)+"x", "OSP")
			p.SetProperty(spec.PropHashMethod, "Blowfish", "--property")
		}, problem.Error, ErrPassword, "72 bytes"},
		{"hash empty", param(spec.ImgPasswdHash, ""), problem.Error, ErrPasswordHash, "empty"},
		{"hash with colon", param(spec.ImgPasswdHash, "$6$secret:"), problem.Error, ErrPasswordHash, "colon"},
		{"hash with space", param(spec.ImgPasswdHash, "$6$secret "), problem.Error, ErrPasswordHash, "white space"},
		{"hash long", param(spec.ImgPasswdHash, "$"+strings.Repeat("x", 383)), problem.Error, ErrPasswordHash, "383"},
		{"hash that is a password", param(spec.ImgPasswdHash, "secret"), problem.Warning, ErrPasswordHash, "does not look like"},
		{"keys empty", param(spec.AuthKeys, " \n# comment\n"), problem.Warning, ErrAuthKeys, "no key"},
		{"private key", param(spec.AuthKeys, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"), problem.Error, ErrAuthKeys, "a private key"},
		{"keys with NUL", param(spec.AuthKeys, "ssh-rsa a\x00b"), problem.Error, ErrAuthKeys, "NUL"},
		{"unknown parameter", param("img_secret", "x"), problem.Warning, ErrUnknownParameter, "img_secret"},
		{"parameter too large", param(spec.ImgID, strings.Repeat("x", maxTextValue+1)), problem.Error, problem.ErrTooLarge, "KiB"},
		{"properties no object", param(spec.ImgProperties, "[]"), problem.Error, ErrType, "JSON object"},
		{"properties duplicate", param(spec.ImgProperties, `{"a":1,"A":2}`), problem.Error, ErrDuplicate, "first at 1:2"},
		{"properties too large", param(spec.ImgProperties, `{"a":"`+strings.Repeat("x", maxProperties)+`"}`), problem.Error, problem.ErrTooLarge, "1024 KiB"},
		{"boolean word", property("DO_SYNC", "maybe"), problem.Warning, ErrBoolean, `"maybe" is not a boolean word, yes is assumed`},
		{"cloud-init word", property(spec.PropCloudInit, "leaf"), problem.Warning, ErrBoolean, "write yes, no or leave"},
		{"SSH password login", property(spec.PropSSHPasswordLogin, "never"), problem.Error, ErrPasswordLogin, "keep or yes"},
		{"create users", property(spec.PropCreateUsers, "maybe"), problem.Warning, ErrBoolean, "yes is assumed"},
		{"BSD", property(spec.PropOSFamily, "freebsd"), problem.Error, missing, "freebsd: not in this version"},
		{"family unknown", property(spec.PropOSFamily, "beos"), problem.Error, ErrOSFamily, "beos"},
		{"root partition 129", property(spec.PropRootPartition, "129"), problem.Error, ErrRootPartition, "0 to 128"},
		{"root partition +1", property(spec.PropRootPartition, "+1"), problem.Error, ErrRootPartition, "0 to 128"},
		{"grow 0", property(spec.PropGrow, "0"), problem.Error, ErrGrow, "1 to 128"},
		{"grow a word", property(spec.PropGrow, "root"), problem.Error, ErrGrow, "mount point"},
		{"user impossible", property(spec.PropUsers, "root a:b"), problem.Error, ErrUsers, "a:b"},
		{"hash method", property(spec.PropHashMethod, "rot13"), problem.Error, ErrHashMethod, "rot13"},
		{"swap form", property(spec.PropSwap, "x"), problem.Error, values.ErrSwap, "not there"},
		{"swap disk read-only", func(p *Parameters, in *Input) {
			in.Disks[1].ReadOnly = true
			p.SetProperty(spec.PropSwap, "b", "--property")
		}, problem.Error, values.ErrSwap, "read-only"},
		{"exclude unknown", property("EXCLUDE_TASK_NOTHING", "yes"), problem.Warning, ErrExclude, "NOTHING"},
		{"exclude fixed", property("EXCLUDE_TASK_MOUNTIMAGE", "yes"), problem.Warning, ErrExclude, "MountImage cannot be excluded"},
		{"custom task", property(spec.PropCustomTask, "%"), problem.Error, ErrCustomTask, "base64"},
		{"custom task empty", property(spec.PropCustomTask, " "), problem.Error, ErrCustomTask, "empty"},
		{"product key", param(spec.OSProductKey, ""), problem.Error, ErrProductKey, "XXXXX"},
		{"answer file", param(spec.OSAnswerFile, "?"), problem.Error, ErrAnswerFile, "not a URL or path"},
		{"user-data without CLOUD_INIT", param(spec.CloudUserdata, "x"), problem.Warning, ErrIgnored, "CLOUD_INIT"},
		{"user-data", userData("%"), problem.Error, ErrUserData, "encode the user-data with base64"},
		{"user-data empty", userData(" "), problem.Warning, ErrUserData, "empty, ignored"},
		{"user-data large", userData(strings.Repeat("AAAA", maxUserData/3+1)), problem.Error, problem.ErrTooLarge, "more than 1024 KiB"},
		{"user-data of no form", userData("eA=="), problem.Warning, ErrUserData, "does not know this form"},
		{"personality no array", param(spec.ImgPersonality, "{}"), problem.Error, ErrType, "JSON array"},
		{"personality empty", param(spec.ImgPersonality, "[]"), problem.Warning, ErrPersonality, "no file"},
		{"personality no object", param(spec.ImgPersonality, "[1]"), problem.Error, ErrType, "img_personality[0]"},
		{"personality no path", param(spec.ImgPersonality, `[{"contents":""}]`), problem.Error, ErrRequired, "no path"},
		{"personality no contents", param(spec.ImgPersonality, `[{"path":"/a","contents":null}]`), problem.Error, ErrRequired, "no contents"},
		{"personality directory", param(spec.ImgPersonality, `[{"path":"/a/","contents":""}]`), problem.Error, ErrPersonality, "directory"},
		{"personality octal mode", param(spec.ImgPersonality, `[{"path":"/a","contents":"","mode":"0644"}]`), problem.Error, ErrPersonality, "decimal"},
		{"personality mode large", param(spec.ImgPersonality, `[{"path":"/a","contents":"","mode":4096}]`), problem.Error, ErrPersonality, "4095"},
		{"personality mode fraction", param(spec.ImgPersonality, `[{"path":"/a","contents":"","mode":1.5}]`), problem.Error, ErrPersonality, "decimal"},
		{"personality owner", param(spec.ImgPersonality, `[{"path":"/a","contents":"","owner":"a:b"}]`), problem.Error, ErrPersonality, "owner"},
		{"personality owner type", param(spec.ImgPersonality, `[{"path":"/a","contents":"","owner":5}]`), problem.Error, ErrType, "owner"},
		{"personality unknown key", param(spec.ImgPersonality, `[{"path":"/a","contents":"","xattr":""}]`), problem.Warning, ErrUnknownKey, "img_personality[0].xattr"},
		{"file flag", func(p *Parameters, _ *Input) { p.AddFile(spec.File{Path: "etc/motd"}, "--file") }, problem.Error, values.ErrFileFlag, "not absolute"},
		{"files too large", func(p *Parameters, _ *Input) {
			p.AddFile(spec.File{Path: "/a", Contents: make([]byte, maxInjected+1)}, "--file")
		}, problem.Error, problem.ErrTooLarge, "10 MiB"},
		{"no disk", input(func(in *Input) { in.Disks = nil }), problem.Error, ErrRequired, "no disk"},
		{"first disk read-only", input(func(in *Input) { in.Disks[0].ReadOnly = true }), problem.Error, ErrDisk, "read-only"},
		{"disk without path", input(func(in *Input) { in.Disks[1].Path = "" }), problem.Error, ErrDisk, "disk[1]"},
		{"disk twice", input(func(in *Input) { in.Disks[1] = in.Disks[0] }), problem.Error, ErrDisk, "twice"},
		{"disk URI", input(func(in *Input) { in.Disks[1] = spec.Disk{URI: "json:{}"} }), problem.Error, ErrDisk, "has to begin with one of rbd"},
		{"disk URI with a secret", input(func(in *Input) { in.Disks[1] = spec.Disk{URI: "rbd:x:key=y"} }), problem.Error, ErrDisk, "let this node's configuration hold it"},
		{"disk URI twice", input(func(in *Input) { in.Disks = append(in.Disks, spec.Disk{URI: "rbd:x/y"}, spec.Disk{URI: "rbd:x/y"}) }), problem.Error, ErrDisk, "twice"},
		{"disk URI in two spellings", input(func(in *Input) {
			in.Disks = append(in.Disks, spec.Disk{URI: "rbd:x/y"}, spec.Disk{URI: "rbd:x/y:id=admin"})
		}), problem.Error, ErrDisk, "twice"},
		{"disk format", input(func(in *Input) { in.DiskFormat = "floppy" }), problem.Error, ErrDisk, `format "floppy" is unknown`},
		{"size", input(func(in *Input) { in.Size = "ten" }), problem.Error, values.ErrSize, "--size"},
		{"NIC flag", input(func(in *Input) { in.NICFlags = []string{"mac=x"} }), problem.Error, values.ErrNIC, "nic[0]"},
		{"NIC", input(func(in *Input) { in.NICs = []spec.NIC{{IP: "x"}} }), problem.Error, values.ErrNIC, "NIC_n"},
		{"MAC twice", input(func(in *Input) {
			in.NICFlags = []string{"mac=aa:00:00:00:00:01", "mac=AA:00:00:00:00:01"}
		}), problem.Error, values.ErrNIC, "two NICs"},
		{"no name", input(func(in *Input) { in.Name = "" }), problem.Error, ErrRequired, "--name"},
		{"bad name", input(func(in *Input) { in.Name = "a_b" }), problem.Error, values.ErrHostname, "a_b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, in := withImage(), deployInput()
			p.Set(spec.InstProperties, `{"USERS":"root"}`, "OSP")
			tc.change(p, &in)
			s, problems := Build(p, in)
			if (s == nil) != (tc.severity == problem.Error) {
				t.Errorf("Build = %v, want a Spec only without errors; %v", s, problems)
			}
			if !errors.Is(problems, tc.rule) {
				t.Fatalf("problems %v do not wrap %v", problems, tc.rule)
			}
			found := problems.Errors()
			if tc.severity == problem.Warning {
				found = problems.Warnings()
			}
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
	_, problems := Build(&p, Input{Mode: spec.ModeDeploy})
	for _, rule := range []error{ErrRequired, ErrFormat, values.ErrSwap, ErrRootPartition} {
		if !errors.Is(problems, rule) {
			t.Errorf("problems %v do not wrap %v", problems, rule)
		}
	}
}

// everything returns parameters with every kind of value.
func everything() *Parameters {
	p := withImage()
	p.Set(spec.ImgPasswd, "hunter2", "--password-file")
	p.Set(spec.AuthKeys, "ssh-ed25519 AAAA one\r\n\n# no\nssh-rsa BBBB two\n", "--authorized-keys")
	p.Set(spec.ImgProperties, "{\"users\": \"root admin\troot\", \"Swap\": \"3:256\", \"OS\": \"debian\", \"n\": 5, \"DESCRIPTION\": \"two\nlines\"}", "OSP")
	p.SetProperty(spec.PropCustomTask, base64.StdEncoding.EncodeToString([]byte("#!/bin/bash\n")), "--property")
	p.Set(spec.ImgPersonality, "[{\"path\":\"/a\",\"contents\":\"Zmly\nc3Q=\"},{\"path\":\"/a\",\"contents\":\"bGFzdA==\",\"owner\":\"www\",\"mode\":420}]", "OSP")
	p.AddFile(spec.File{Path: "/b", Contents: []byte("b"), Mode: 0o600}, "--file")
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
	password := spec.Secret("hunter2")
	properties := map[string]string{"USERS": "root admin\troot", "SWAP": "3:256", "OS": "debian", "N": "5", "DESCRIPTION": "two\nlines"}
	custom := map[string]string{"CUSTOM_TASK": "IyEvYmluL2Jhc2gK"}
	merged := map[string]string{"CUSTOM_TASK": "IyEvYmluL2Jhc2gK"}
	for k, v := range properties {
		merged[k] = v
	}
	want := &spec.Spec{
		Mode: spec.ModeDeploy, Name: "web1.example.org", Image: "debian.raw", Format: spec.DiskDump,
		Disks:    []spec.Disk{{Path: "/dev/a", Size: 10 << 30}, {Path: "/dev/b"}},
		NICs:     []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "192.0.2.5", Subnet: "192.0.2.0/24", Tags: []string{"a", "b"}}, {}},
		Password: &password, AuthorizedKeys: []string{"ssh-ed25519 AAAA one", "ssh-rsa BBBB two"},
		Properties: merged, ImageProperties: properties, InstanceProperties: custom,
		Swap: &spec.Swap{Partition: 3, MiB: 256}, CustomTask: []byte("#!/bin/bash\n"),
		Files: []spec.File{{Path: "/a", Contents: []byte("last"), Owner: "www", Mode: 0o644}, {Path: "/b", Contents: []byte("b"), Mode: 0o600}},
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
	var back spec.Spec
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
	for _, v := range []any{s, *s, everything(), s.Credentials(map[string]spec.Secret{"root": "hunter2"}, nil)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
				t.Errorf("%s of %T shows the password: %s", verb, v, text)
			}
		}
	}
}
