package sshd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/tests/guest"
)

var image, must = guest.Image, guest.Check

func TestSSHIncludeBomb(t *testing.T) {
	t.Parallel()
	files := map[string]string{"etc/ssh/sshd_config": "Include d/*\n"}
	for n := range 30 {
		files[fmt.Sprintf("etc/ssh/d/%d", n)] = "Include d/*\n"
	}
	if _, err := Read(image(t, files)); err == nil {
		t.Error("Read = nil, want an error")
	}
}

// TestSSHManyFiles refuses a directory with more files than a server has.
func TestSSHManyFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{"etc/ssh/sshd_config": "Include d/*\n"}
	for n := range 1001 {
		files[fmt.Sprintf("etc/ssh/d/%d", n)] = "\n"
	}
	if _, err := Read(image(t, files)); !errors.Is(err, rootfs.ErrTooMany) {
		t.Errorf("Read = %v, want %v", err, rootfs.ErrTooMany)
	}
}

func TestSSHAuthorizedKeys(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][]string{
		"": {".ssh/authorized_keys", ".ssh/authorized_keys2"},
		"authorizedkeysfile none\nAuthorizedKeysFile x":   {"none"},
		"Match User a\nAuthorizedKeysFile x\n":            {".ssh/authorized_keys", ".ssh/authorized_keys2"},
		"AuthorizedKeysFile=\"/a b/%u\" .ssh/%%\n":        {"/a b/%u", ".ssh/%%"},
		"Match User a\nInclude x\nMatch all\nInclude y\n": {".ssh/authorized_keys", ".ssh/authorized_keys2"},
	} {
		s, err := Read(image(t, map[string]string{"etc/ssh/sshd_config": config, "etc/ssh/x": "AuthorizedKeysFile wrong\n"}))
		must(t, err)
		if diff := cmp.Diff(want, s.AuthorizedKeys); diff != "" {
			t.Errorf("Read of %q (-want +got):\n%s", config, diff)
		}
	}
}

// TestLargeConfigurations has configurations that would cost a long time, or that are too
// large to be read.
func TestLargeConfigurations(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("*a*b*c*d*e*f,", 9000)
	for title, c := range map[string]struct{ config, err string }{
		"long Match":    {"Match User " + long + "zed\n" + strings.Repeat("PasswordAuthentication no\n", 900), ""},
		"long address":  {"Match Address " + long + "zed\n" + strings.Repeat("PasswordAuthentication no\nAllowUsers a\n", 450), ""},
		"longer Match":  {"Match User " + long + long + "\n", "more than 128 KiB of settings"},
		"many settings": {strings.Repeat("PermitRootLogin no\n", 1001), "more than 1000 settings"},
		"not ours":      {strings.Repeat("Banner "+strings.Repeat("x", 100)+"\n", 5000), ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s, err := Read(image(t, map[string]string{"etc/ssh/sshd_config": c.config}))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("Read = %v, want %q", err, c.err)
			}
			start := time.Now()
			for n := range 200 {
				s.Policy(etc.User{Name: fmt.Sprint("user", n), UID: n}, nil)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("200 users took %v", took)
			}
		})
	}
}

// FuzzPolicy judges users by any configuration: whoever the lists refuse has no way in, and
// what lets everybody in lets them in.
func FuzzPolicy(f *testing.F) {
	for _, files := range configurations {
		f.Add(files["etc/ssh/sshd_config"])
	}
	f.Fuzz(func(t *testing.T, config string) {
		root := image(t, map[string]string{"etc/ssh/sshd_config": config})
		s, err := Read(root)
		if err != nil {
			return
		}
		for _, u := range []etc.User{rootUser, annUser} {
			p := s.Policy(u, []string{u.Name, "staff"})
			for _, v := range []Verdict{p.Password, p.Keys} {
				if (v.Because == "") != (v.Access == Allowed) {
					t.Fatalf("%q: %+v", config, p)
				}
			}
		}
		if _, err := s.AllowPasswords(root, []etc.User{annUser}); err != nil {
			t.Fatal(err)
		}
		if s, err = Read(root); err == nil && !s.Configured {
			t.Fatalf("%q: no configuration after AllowPasswords", config)
		}
	})
}
