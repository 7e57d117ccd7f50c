package credentials

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// methods are those of PASSWD_HASHING_METHOD with the form of their hashes, as
// in crypt(5).
var methods = map[string]*regexp.Regexp{
	"sha512":   regexp.MustCompile(`^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$`),
	"sha256":   regexp.MustCompile(`^\$5\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{43}$`),
	"md5":      regexp.MustCompile(`^\$1\$[./0-9A-Za-z]{8}\$[./0-9A-Za-z]{22}$`),
	"sha1":     regexp.MustCompile(`^\$sha1\$[1-9][0-9]+\$[./0-9A-Za-z]{8}\$[./0-9A-Za-z]{28}$`),
	"blowfish": regexp.MustCompile(`^\$2b\$10\$[./A-Za-z0-9]{53}$`),
	"yescrypt": regexp.MustCompile(`^\$y\$j9T\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{43}$`),
}

// passwords are short, empty, long and beyond ASCII.
func passwords() map[string]string {
	return map[string]string{
		"short": "hunter2", "empty": "", "unicode": "pä$$ wörd\t'\"\\", "64 bytes": strings.Repeat("x1", 32),
		"72 bytes": strings.Repeat("abcdef", 12), "longest": strings.Repeat("p", 511),
	}
}

// TestHashAgainstCrypt lets the C library's crypt(3) hash the same password
// with our hash as its setting: it must come to the same result.
func TestHashAgainstCrypt(t *testing.T) {
	t.Parallel()
	for method, form := range methods {
		for name, password := range passwords() {
			if method == "blowfish" && len(password) > 72 {
				continue
			}
			t.Run(method+"/"+name, func(t *testing.T) {
				t.Parallel()
				hash, err := Hash(method, spec.Secret(password))
				if err != nil {
					t.Fatal(err)
				}
				if !form.MatchString(hash.Reveal()) {
					t.Errorf("Hash = %s, want the form %s", hash.Reveal(), form)
				}
				got := run(t, hash.Reveal()+"\n"+password, "perl", "-e",
					`my $s = <STDIN>; chomp $s; local $/; my $p = <STDIN> // ""; print crypt($p, $s)`)
				if got != hash.Reveal() {
					t.Errorf("crypt(3) = %q, ours %q", got, hash.Reveal())
				}
			})
		}
	}
}

func TestHashAgainstOpenSSL(t *testing.T) {
	t.Parallel()
	for method, option := range map[string]string{"sha512": "-6", "sha256": "-5", "md5": "-1"} {
		hash, err := Hash(method, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		salt := strings.Split(hash.Reveal(), "$")[2]
		if got := run(t, "correct horse\n", "openssl", "passwd", option, "-salt", salt, "-stdin"); got != hash.Reveal() {
			t.Errorf("%s: openssl passwd = %q, ours %q", method, got, hash.Reveal())
		}
	}
}

func TestHashAgainstMkpasswd(t *testing.T) {
	t.Parallel()
	hash, err := Hash("yescrypt", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	setting := hash.Reveal()[:strings.LastIndex(hash.Reveal(), "$")]
	if got := run(t, "correct horse", "mkpasswd", "--method=yescrypt", "--stdin", "--salt="+setting); got != hash.Reveal() {
		t.Errorf("mkpasswd = %q, ours %q", got, hash.Reveal())
	}
}

func TestHashSaltIsFresh(t *testing.T) {
	t.Parallel()
	for method := range methods {
		a, errA := Hash(method, "x")
		b, errB := Hash(method, "x")
		if errA != nil || errB != nil || a == b {
			t.Errorf("%s: two hashes are %q and %q, %v, %v", method, a.Reveal(), b.Reveal(), errA, errB)
		}
	}
}

func TestHashErrors(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("hunter2!", 10)
	for _, tc := range []struct {
		method string
		want   error
	}{{"blowfish", ErrTooLong}, {"rot13", ErrUnknownMethod}, {"", ErrUnknownMethod}} {
		hash, err := Hash(tc.method, spec.Secret(secret))
		if !errors.Is(err, tc.want) || hash != "" {
			t.Errorf("Hash(%q) = %q, %v, want %v", tc.method, hash.Reveal(), err, tc.want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("Hash(%q): the error shows the password: %v", tc.method, err)
		}
	}
}
