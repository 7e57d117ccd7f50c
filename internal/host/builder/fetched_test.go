package builder

import (
	"errors"
	"testing"

	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

// TestFetchedImage keeps what a URL delivers away from the files of the node,
// whatever it is merged with.
func TestFetchedImage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id      string
		refused bool // on the plain command line
		always  bool // in Ganeti's scripts, too
	}{
		{"/etc/shadow", true, false}, // IMAGE_DIR/etc/shadow in Ganeti's scripts
		{"/dev/sda", true, false},
		{" /dev/sda", true, false},
		{"./disk.raw", true, false},
		{"../disk.raw", true, false},
		{"file:///etc/shadow", true, true},
		{"FILE://etc/shadow", true, true},
		{"file:/etc/shadow", true, true},
		{"debian", false, false},
		{"local://sub/debian", false, false},
		{"https://images.example/debian", false, false},
		{"null", false, false},
	} {
		for _, plain := range []bool{true, false} {
			fetched := new(Parameters)
			fetched.Set(spec.ImgFormat, "diskdump", "/etc/default/snf-image")
			fetched.AddFetched([]byte(`{"img_id": "`+tc.id+`"}`), "https://h/")
			p := new(Parameters)
			p.Inherit(fetched)
			in := deployInput()
			in.ImagePaths = plain
			s, problems := Build(p, in)
			want := tc.always || plain && tc.refused
			if got := errors.Is(problems.Errors(), ErrOrigin); got != want || (s == nil) != want {
				t.Errorf("img_id %q from a URL (plain: %v): %v, want refused: %v", tc.id, plain, problems, want)
			}
			if s != nil && (!s.FromURL(spec.ImgID) || s.FromURL(spec.ImgFormat)) {
				t.Errorf("img_id %q: from a URL are %v", tc.id, s.Fetched)
			}
			given := new(Parameters)
			given.Set(spec.ImgID, tc.id, "--image")
			given.Inherit(fetched)
			if s, problems := Build(given, in); errors.Is(problems, ErrOrigin) || s != nil && s.FromURL(spec.ImgID) {
				t.Errorf("--image %q: %v, its origin is lost", tc.id, problems)
			}
		}
	}
}

// TestFetchedAnswerFile holds the same for the other parameter that may be a path.
func TestFetchedAnswerFile(t *testing.T) {
	t.Parallel()
	for value, refused := range map[string]bool{"/etc/shadow": true, "answers/a.xml": true, "https://h/a.xml": false} {
		p := new(Parameters)
		p.Set(spec.ImgID, "debian", "--image")
		p.Set(spec.ImgFormat, "diskdump", "--format")
		p.AddFetched([]byte(`{"os_answer_file": "`+value+`"}`), "https://h/")
		if _, problems := Build(p, deployInput()); errors.Is(problems, ErrOrigin) != refused {
			t.Errorf("os_answer_file %q from a URL: %v, want refused: %v", value, problems, refused)
		}
	}
}

// TestFetchedKeepsItsOrigin marks every parameter that a URL can set.
func TestFetchedKeepsItsOrigin(t *testing.T) {
	t.Parallel()
	var p Parameters
	text := "{"
	var want, got []string
	for _, parameter := range spec.AllParameters() {
		text += `"` + parameter.Name + `": "x", `
		if parameter.Name != spec.ConfigURL { // which is not followed
			want = append(want, parameter.Name)
		}
	}
	p.Set(spec.ConfigURL, "https://h/", "--config-url")
	p.AddFetched([]byte(text+`"unknown": "x"}`), "https://h/")
	p.Set("img_id", "y", "--image")
	for _, parameter := range spec.AllParameters() {
		if p.Fetched(parameter.Name) {
			got = append(got, parameter.Name)
		}
	}
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
}
