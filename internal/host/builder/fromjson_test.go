package builder

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

// DeployInput is an input nothing is wrong with.
func deployInput() Input {
	return Input{
		Mode: spec.ModeDeploy, Name: "web1.example.org", NameOrigin: "--name",
		Disks: []spec.Disk{{Path: "/dev/a"}, {Path: "/dev/b"}}, DiskOrigin: "--disk", NICOrigin: "NIC_n",
		DefaultFormat: spec.DiskDump,
	}
}

// withImage returns parameters nothing is wrong with.
func withImage() *Parameters {
	var p Parameters
	p.Set(spec.ImgID, "debian.raw", "--image")
	return &p
}

// lines formats problems one by one.
func lines(ps problem.List) []string {
	var out []string
	for _, p := range ps {
		out = append(out, string(p.Severity)+": "+p.Error())
	}
	return out
}

func TestAddJSONPositions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"no JSON", "{\n  \"img_id\": oops\n}", []string{"error: p.json:2:13: invalid JSON: expected a JSON value"}},
		{"no object", "\n[]", []string{"error: p.json:2:1: expected a JSON object, found an array"}},
		{"wrong type", `{"img_id": 5}`, []string{"error: p.json:1:12: img_id: expected a string, found a number"}},
		{"array where an object belongs", `{"img_properties": []}`, []string{"error: p.json:1:20: img_properties: expected a string, found an array"}},
		{
			"duplicate by case", "{\"img_id\": \"a\",\n \"IMG_ID\": \"b\"}",
			[]string{"error: p.json:2:2: IMG_ID: name given twice, first at 1:2"},
		},
		{
			"unknown names", `{"one": 1, "two": {}, "img_id": "x"}`,
			[]string{`warning: p.json: unknown parameters are ignored: "one", "two"`},
		},
		{
			"native property object", "{\"img_id\":\"x\",\n\"img_properties\": {\"USERS\": [\"root\"]}}",
			[]string{"error: p.json:2:29: img_properties.USERS: expected a string, found an array"},
		},
		{
			"properties in a string", `{"img_id":"x","img_properties": "{\"USERS\": {}}"}`,
			[]string{"error: p.json:1:46: img_properties.USERS: expected a string, found an object"},
		},
		{
			"syntax inside a string", `{"img_id":"x","img_properties": "{\"ü\u00fc\": }"}`,
			[]string{"error: p.json:1:48: img_properties: invalid JSON: expected a JSON value"},
		},
		{
			"value of a property", "{\"img_id\":\"x\",\n \"inst_properties\": \"{\\\"ROOT_PARTITION\\\": \\\"x\\\"}\"}",
			[]string{`error: p.json:2:43: inst_properties.ROOT_PARTITION: expected a partition number from 0 to 128, found "x"`},
		},
		{
			"personality", `{"img_id":"x","img_personality": [{"path":"/a","contents":""},{"path":"b","contents":"*"}]}`,
			[]string{
				"error: p.json:1:71: img_personality[1].path: the path is not absolute",
				"error: p.json:1:86: img_personality[1].contents: not base64",
			},
		},
		{"null is not set", `{"img_id": null}`, []string{"error: img_id: no image is given; set img_id (--image) to one, or to null to customize the disk as it is"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var p Parameters
			p.AddJSON([]byte(tc.in), "p.json")
			if strings.HasPrefix(tc.want[0], "error: p.json") && !strings.Contains(tc.in, `"img_id":"x"`) {
				p.Set(spec.ImgID, "x", "--image")
			}
			_, problems := Build(&p, deployInput())
			if diff := cmp.Diff(tc.want, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLaterSourceWins(t *testing.T) {
	t.Parallel()
	var p Parameters
	p.AddJSON([]byte(`{"IMG_ID": "old", "img_passwd": "x", "img_properties": {"a": 1, "B": "img", "c": true},
		"inst_properties": "{\"b\": \"inst\", \"a\": null}"}`), "p.json")
	p.Set("IMG_ID", "new", "--image")
	p.Set(spec.ImgPasswd, "", "--password-file")
	p.SetProperty("c", "flag", "--property")
	s, problems := Build(&p, deployInput())
	if s == nil {
		t.Fatalf("Build: %v", problems)
	}
	if s.Image != "new" || s.Password == nil || s.Password.Reveal() != "" {
		t.Errorf("Image %q, Password %v: the later source did not win", s.Image, s.Password)
	}
	want := map[string]string{"A": "1", "B": "inst", "C": "flag"}
	if diff := cmp.Diff(want, s.Properties); diff != "" {
		t.Errorf("Properties (-want +got):\n%s", diff)
	}
	if !errors.Is(problems, ErrPassword) || problems.Err() != nil {
		t.Errorf("problems = %v, want a warning about the empty password", problems)
	}
}

func TestBuildLeavesParametersAlone(t *testing.T) {
	t.Parallel()
	p := withImage()
	p.SetProperty("SWAP", "nonsense", "--property")
	_, first := Build(p, deployInput())
	_, second := Build(p, deployInput())
	if !slices.EqualFunc(first, second, func(a, b problem.Problem) bool { return a.Error() == b.Error() }) {
		t.Errorf("second Build found %v, first %v", second, first)
	}
}

// TestManyProblems makes texts with a problem in each of many entries: what is
// reported is bounded, takes no time, and still is an error.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{
		"errors": `{"path":"a","contents":""},`, "warnings": `{"path":"/a","contents":"","x":1},`, "duplicates": `{"path":"/a","path":"/a","contents":""},`,
	} {
		p := withImage()
		p.Set(spec.ImgPersonality, "["+strings.Repeat(entry, 10_000)+"{}]", "OSP")
		s, problems := Build(p, deployInput())
		if s != nil || len(problems) != maxProblems || !errors.Is(problems, problem.ErrTooLarge) {
			t.Errorf("%s: Build = %v with %d problems, want %d, the last one ErrTooLarge", name, s, len(problems), maxProblems)
		}
	}
}

func FuzzParams(f *testing.F) {
	f.Add(`{"img_id":"x","img_properties":"{\"SWAP\":\"2:100\"}","img_personality":[{"path":"/a","contents":"YQ==","mode":288}]}`)
	f.Add(`{"img_passwd":"a","img_passwd_hash":"b","USERS":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		var p Parameters
		p.AddJSON([]byte(text), "p.json")
		s, problems := Build(&p, deployInput())
		if (s == nil) != (problems.Err() != nil) {
			t.Errorf("Spec %v with problems %v", s, problems)
		}
		if s != nil {
			s.Plan(spec.PlanOptions{})
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add(`{"OSFAMILY":"linux","ROOT_PARTITION":1,"EXCLUDE_TASK_ADDSWAP":"yes"}`)
	f.Fuzz(func(t *testing.T, text string) {
		p := withImage()
		p.Set(spec.ImgProperties, text, "OSP_IMG_PROPERTIES")
		if s, problems := Build(p, deployInput()); s == nil && problems.Err() == nil {
			t.Error("no Spec and no error")
		}
	})
}

func FuzzPersonality(f *testing.F) {
	f.Add(`[{"path":"/a/b","contents":"YQ==","owner":"root","mode":420}]`)
	f.Fuzz(func(t *testing.T, text string) {
		p := withImage()
		p.Set(spec.ImgPersonality, text, "OSP_IMG_PERSONALITY")
		s, _ := Build(p, deployInput())
		if s == nil {
			return
		}
		for _, file := range s.Files {
			if !strings.HasPrefix(file.Path, "/") || file.Mode > values.MaxFileMode {
				t.Errorf("accepted %+v", file)
			}
		}
	})
}

// TestAddFetched takes what config_url delivered over what was there, but no
// other config_url.
func TestAddFetched(t *testing.T) {
	t.Parallel()
	var p Parameters
	p.Set(spec.ConfigURL, "https://example.org/", "OSP_CONFIG_URL")
	p.Set(spec.ImgID, "old", "OSP_IMG_ID")
	p.AddFetched([]byte(`{"Img_ID": "new", "img_passwd": null, "config_url": "https://example.net/", "extra": [1]}`), "https://example.org/")
	s, problems := Build(&p, deployInput())
	if s == nil || s.Image != "new" || s.Password != nil {
		t.Fatalf("Build = %v, %v", s, problems)
	}
	if url, _ := p.Lookup(spec.ConfigURL); url.Reveal() != "https://example.org/" {
		t.Errorf("config_url became %q", url.Reveal())
	}
	if !errors.Is(problems, ErrIgnored) || !errors.Is(problems, ErrUnknownParameter) || problems.Err() != nil {
		t.Errorf("problems = %v, want warnings about config_url and extra", problems)
	}
}

// TestInherit takes what is not set from below.
func TestInherit(t *testing.T) {
	t.Parallel()
	var upper, lower Parameters
	lower.AddJSON([]byte(`{"img_id": "low", "img_format": "raw", "extra": 1}`), "low.json")
	lower.SetProperty("a", "low", "low")
	lower.SetProperty("b", "low", "low")
	upper.Set(spec.ImgID, "", "--image")
	upper.Set(spec.ImgPasswd, "x", "--password-file")
	upper.SetProperty("A", "up", "--property")
	upper.Inherit(&lower)
	for name, want := range map[string]string{spec.ImgID: "", spec.ImgFormat: "raw", spec.ImgPasswd: "x"} {
		if got, ok := upper.Lookup(name); !ok || got.Reveal() != want {
			t.Errorf("%s = %q, %v, want %q", name, got.Reveal(), ok, want)
		}
	}
	upper.Set(spec.ImgID, "x", "test")
	s, problems := Build(&upper, deployInput())
	if s == nil || s.Properties["A"] != "up" || s.Properties["B"] != "low" || !errors.Is(problems, ErrUnknownParameter) {
		t.Errorf("Build = %v, %v", s, problems)
	}
}

// TestDidYouMean looks at every kind of name a parameter may misspell.
func TestDidYouMean(t *testing.T) {
	t.Parallel()
	p := everything()
	p.SetProperty("USRES", "root", "--property")
	p.SetProperty("Exclude_Task_AddSwop", "yes", "--property")
	p.SetProperty("DESCRIPTION", "a machine", "--property")
	p.AddJSON([]byte(`{"img_passwrd": "x", "colour": "red"}`), "p.json")
	_, problems := Build(p, deployInput())
	text := problems.Error()
	for _, want := range []string{
		`--property: USRES: there is no property "USRES", it is only passed on to programs; did you mean USERS?`,
		"did you mean EXCLUDE_TASK_ADDSWAP?", `"img_passwrd" (did you mean img_passwd?), "colour"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("problems lack %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "DESCRIPTION") {
		t.Errorf("an unknown property that is close to none is spoken of:\n%s", text)
	}
}
