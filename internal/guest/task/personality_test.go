package task

import (
	"errors"
	"io/fs"
	"strconv"
	"testing"

	"snf-image/internal/spec"
)

func octal(m fs.FileMode) string { return strconv.FormatUint(uint64(m), 8) }

func decimal(n int) string { return strconv.Itoa(n) }

func TestEnforcePersonality(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for title, c := range map[string]struct {
		files   map[string]string
		inject  []spec.File
		want    map[string]string // file or directory → mode, owner, group
		content map[string]string
		err     string
	}{
		"owner and parents": {
			nil,
			[]spec.File{{Path: "/srv/a/b", Contents: []byte("x"), Owner: "ann", Group: "staff", Mode: 0o4755}},
			map[string]string{"srv/a/b": "4755 1000 50", "srv/a": "750 1000 50", "srv": "750 1000 50"},
			map[string]string{"srv/a/b": "x"},
			"",
		},
		"defaults": {
			map[string]string{"etc/motd": "old"},
			[]spec.File{{Path: "/etc/motd", Mode: 0o440}},
			map[string]string{"etc/motd": "440 0 0", "etc": "755 0 0"},
			map[string]string{"etc/motd": ""},
			"",
		},
		"owner alone": {nil, []spec.File{{Path: "/m", Owner: "ann"}}, map[string]string{"m": "0 1000 0"}, nil, ""},
		"last counts": {
			nil,
			[]spec.File{{Path: "/m", Contents: []byte("1")}, {Path: "/./m", Contents: []byte("2")}},
			nil,
			map[string]string{"m": "2"},
			"",
		},
		"link replaced": {
			map[string]string{"m": "-> OUTSIDE/canary"},
			[]spec.File{{Path: "/m", Contents: []byte("1"), Mode: 0o644}},
			map[string]string{"m": "644 0 0"},
			map[string]string{"m": "1"},
			"",
		},
		"FIFO replaced":         {map[string]string{"m": "FIFO"}, []spec.File{{Path: "/m", Contents: []byte("1")}}, nil, map[string]string{"m": "1"}, ""},
		"device replaced":       {map[string]string{"m": "ZERO"}, []spec.File{{Path: "/m", Contents: []byte("1")}}, nil, map[string]string{"m": "1"}, ""},
		"through a link":        {map[string]string{"d": "-> /real", "real": "DIR"}, []spec.File{{Path: "/d/m", Contents: []byte("1")}}, nil, map[string]string{"real/m": "1"}, ""},
		"dotdot":                {nil, []spec.File{{Path: "/../../../m", Contents: []byte("1")}}, nil, map[string]string{"m": "1"}, ""},
		"leads out":             {map[string]string{"d": "-> OUTSIDE"}, []spec.File{{Path: "/d/m"}}, nil, nil, "link to nothing"},
		"loop":                  {map[string]string{"d": "-> d"}, []spec.File{{Path: "/d/m"}}, nil, nil, "too many levels"},
		"directory":             {map[string]string{"d": "DIR"}, []spec.File{{Path: "/d"}}, nil, nil, "a directory"},
		"parent is file":        {map[string]string{"d": "x"}, []spec.File{{Path: "/d/m"}}, nil, nil, "not a directory: /d is a regular file"},
		"second is a directory": {map[string]string{"d": "DIR"}, []spec.File{{Path: "/n"}, {Path: "/d"}}, nil, nil, "entry 2: /d is a directory"},
		"second below a file":   {map[string]string{"d": "x"}, []spec.File{{Path: "/n"}, {Path: "/d/e/f"}}, nil, nil, "not a directory"},
		"relative":              {nil, []spec.File{{Path: "m"}}, nil, nil, `entry 1: the path "m" is not absolute`},
		"unknown owner": {
			nil,
			[]spec.File{{Path: "/n"}, {Path: "/m", Owner: "bob"}},
			nil, nil,
			`personality entry 2, /m: the image has no user "bob"`,
		},
		"unknown group": {nil, []spec.File{{Path: "/m", Group: "bob"}}, nil, nil, `no group "bob"`},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/passwd": passwdFile, "etc/group": "root:x:0:\nstaff:x:50:\n"}
			for p, content := range c.files {
				files[p] = content
			}
			r := newImageRun(t, files)
			r.Credentials.Files = c.inject
			wants(t, r.do(t, enforcePersonality), c.err)
			for p, want := range c.want {
				mode, uid, gid := r.owned(t, p)
				if got := octal(mode) + " " + decimal(uid) + " " + decimal(gid); got != want {
					t.Errorf("%s is %s, want %s", p, got, want)
				}
			}
			for p, want := range c.content {
				if got := r.content(t, p); got != want {
					t.Errorf("%s = %q, want %q", p, got, want)
				}
			}
			if c.err != "" && len(c.inject) > 1 && len(r.Root.Changed()) > 0 {
				t.Errorf("changed %v before all were checked", r.Root.Changed())
			}
		})
	}
	r := newImageRun(t, nil)
	if _, skipped := errors.AsType[*Skipped](r.do(t, enforcePersonality)); !skipped {
		t.Error("no files, want skipped")
	}
}

// TestEnforcePersonalityOfGuests puts files where accounts of the guest can write.
func TestEnforcePersonalityOfGuests(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for title, c := range map[string]struct {
		files  map[string]string
		owners map[string]string
		file   spec.File
		err    string
	}{
		"home":              {nil, nil, spec.File{Path: "/home/ann/x"}, ""},
		"new directories":   {nil, nil, spec.File{Path: "/home/ann/a/b/x", Owner: "ann"}, ""},
		"link in a home":    {map[string]string{"home/ann/d": "-> /etc"}, nil, spec.File{Path: "/home/ann/d/x"}, `/home/ann/d is a symbolic link, to "/etc"`},
		"link at the end":   {map[string]string{"home/ann/x": "-> /etc/passwd"}, nil, spec.File{Path: "/home/ann/x"}, "symbolic link"},
		"foreign in a home": {map[string]string{"home/ann/d": "DIR"}, map[string]string{"home/ann/d": "1002 755"}, spec.File{Path: "/home/ann/d/x"}, "/home/ann/d belongs to uid 1002"},
		"tmp":               {nil, nil, spec.File{Path: "/tmp/x"}, ""},
		"link in tmp":       {map[string]string{"tmp/d": "-> /etc"}, nil, spec.File{Path: "/tmp/d/x"}, "/tmp/d is a symbolic link"},
		"link in var tmp":   {map[string]string{"var/tmp/d": "-> /etc"}, map[string]string{"var/tmp": "0 777"}, spec.File{Path: "/var/tmp/d/x"}, "/var/tmp/d is a symbolic link"},
		"foreign in tmp":    {map[string]string{"tmp/d": "DIR"}, map[string]string{"tmp/d": "1002 755"}, spec.File{Path: "/tmp/d/x"}, "/tmp/d belongs to uid 1002"},
		"hers in tmp":       {map[string]string{"tmp/d": "DIR"}, map[string]string{"tmp/d": "1000 755"}, spec.File{Path: "/tmp/d/x", Owner: "ann"}, ""},
		"group's":           {map[string]string{"srv/d": "-> /etc"}, map[string]string{"srv": "0 775"}, spec.File{Path: "/srv/d/x"}, "/srv/d is a symbolic link"},
		"link of root's":    {map[string]string{"srv/d": "-> /etc"}, nil, spec.File{Path: "/srv/d/x"}, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/passwd": passwdFile, "etc/group": "", "home/ann": "DIR", "tmp": "DIR"}
			for p, content := range c.files {
				files[p] = content
			}
			r := newImageRun(t, files)
			r.give(t, map[string]string{"home/ann": "1000 755", "tmp": "0 777"})
			r.give(t, c.owners)
			r.Credentials.Files = []spec.File{c.file}
			err := r.do(t, enforcePersonality)
			if wants(t, err, c.err); c.err == "" {
				if !r.Root.IsRegular(c.file.Path) {
					t.Error("the file is not there")
				}
				return
			}
			if _, remedied := errors.AsType[*Remedied](err); !remedied || len(r.Root.Changed()) > 0 {
				t.Errorf("%v: remedy %v, changed %v", err, remedied, r.Root.Changed())
			}
		})
	}
}
