package imageref

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		id    string
		want  Ref
		err   error
		path  bool
		store error // of InStore
	}{
		{id: "debian", want: Ref{Kind: Bare, Name: "debian", Old: false}},
		{id: "sub/debian", want: Ref{Kind: Bare, Name: "sub/debian", Old: false}},
		{id: "/srv/debian", want: Ref{Kind: Bare, Name: "/srv/debian", Old: false}, path: true},
		{id: "./debian", want: Ref{Kind: Bare, Name: "./debian", Old: false}, path: true},
		{id: "../debian", want: Ref{Kind: Bare, Name: "../debian", Old: false}, path: true},
		{id: "null", want: Ref{Kind: None}, store: ErrNoFile},
		{id: "local://null", want: Ref{Kind: Stored, Name: "null", Old: false}},
		{id: "LOCAL:///a:b", want: Ref{Kind: Stored, Name: "/a:b", Old: false}},
		{id: "file://debian", want: Ref{Kind: Stored, Name: "debian", Old: true}},
		{id: "file:/etc/shadow", want: Ref{Kind: Bare, Name: "file:/etc/shadow", Old: false}, store: ErrColon},
		{id: "a:b", want: Ref{Kind: Bare, Name: "a:b", Old: false}, store: ErrColon},
		{id: "HTTPS://host/x", want: Ref{Kind: URL, Name: "HTTPS://host/x", Old: false}, store: ErrColon},
		{id: "ftp://host/x", want: Ref{Kind: URL, Name: "ftp://host/x", Old: false}, store: ErrColon},
		{id: "", want: Ref{}, store: ErrNoFile},
		{id: "local://", want: Ref{Kind: Stored}, store: ErrNoFile},
		{id: "local://..//", want: Ref{Kind: Stored, Name: "..//", Old: false}, store: ErrNoFile},
		{id: "local://a\x00", want: Ref{Kind: Stored, Name: "a\x00", Old: false}, store: ErrNoFile},
		{id: "debian#sha256=" + strings.Repeat("aB", 32), want: Ref{Kind: Bare, Name: "debian", Digest: Digest{"sha256", strings.Repeat("ab", 32)}}},
		{id: "http://h/x?a=b#sha512=" + strings.Repeat("01", 64), want: Ref{Kind: URL, Name: "http://h/x?a=b", Digest: Digest{"sha512", strings.Repeat("01", 64)}}, store: ErrColon},
		{id: "a#b", want: Ref{Kind: Bare, Name: "a#b"}},
		{id: "debian#sha256=ab", err: ErrDigest},
		{id: "debian#sha512=" + strings.Repeat("ab", 32), err: ErrDigest},
		{id: "debian#sha256=" + strings.Repeat("xy", 32), err: ErrDigest},
		{id: "http://h/x#SHA256=" + strings.Repeat("ab", 32), err: ErrDigest},
		{id: "http://h/x#sha256:" + strings.Repeat("ab", 32), err: ErrDigest},
		{id: "http://h/x#sha256=" + strings.Repeat("ab", 32) + "#", err: ErrDigest},
		{id: "http://h/x#sha256=" + strings.Repeat("ab", 32) + "#sha256=" + strings.Repeat("cd", 32), err: ErrDigest},
		{id: "null#sha256=" + strings.Repeat("ab", 32), err: ErrNoFile},
		{id: "pithos://u/c/o", err: ErrPithos},
		{id: "pithosmap:x/1", err: ErrPithos},
		{id: "gopher://x", err: ErrScheme},
		{id: strings.Repeat("x", 100) + "://", err: ErrScheme},
	} {
		got, err := Parse(tc.id)
		if got != tc.want || !errors.Is(err, tc.err) || got.IsPath() != tc.path {
			t.Errorf("Parse(%q) = %+v, %v, want %+v, %v", tc.id, got, err, tc.want, tc.err)
		}
		if err != nil {
			if len(err.Error()) > 120 {
				t.Errorf("Parse(%q): %v is too long", tc.id, err)
			}
			continue
		}
		if name, err := got.InStore(); !errors.Is(err, tc.store) || err == nil && name != got.Name {
			t.Errorf("Parse(%q).InStore() = %q, %v, want %v", tc.id, name, err, tc.store)
		}
	}
}
