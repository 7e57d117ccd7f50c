package trust

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"snf-image/internal/host/sums"
)

// ErrOther means that good checksums are of another image. Whoever serves them can name
// another release by a redirect, or in a file that has one name only, and show that
// release's, which is signed by the same key.
var ErrOther = errors.New("it is about another image than the one that was asked for")

// choose returns the digest that a file of checksums gives for the image. Where a signature
// is to prove it, the file has to call the image what it was asked for as, or a build of it:
// else the digest comes with ErrOther.
func (f *finder) choose(all []sums.Sum, alone bool) (sums.Sum, error) {
	names := f.Names
	if alone && oneName(all) { // the name of the build instead of the link's
		names = append(slices.Clone(names), all[0].Name)
	}
	foreign := f.Remote && len(f.Keys) > 0
	if foreign {
		if s, err := sums.Choose(all, f.Names[:1], alone); err == nil {
			return s, nil
		}
	}
	s, err := sums.Choose(all, names, alone)
	if errors.Is(err, sums.ErrNoEntry) {
		s, err = sums.Choose(all, f.meant(all), false)
	}
	if name := path.Base(s.Name); err == nil && foreign && !isBuild(f.Names[0], name) && !matches(f.SignedName, name) {
		return s, fmt.Errorf("%w: about %.200q, and %q was asked for", ErrOther, name, f.Names[0])
	}
	return s, err
}

// meant returns the names in a file of checksums that SIGNED_NAME allows.
func (f *finder) meant(all []sums.Sum) (names []string) {
	for _, s := range all {
		if name := path.Base(s.Name); matches(f.SignedName, name) {
			names = append(names, name)
		}
	}
	return names
}

// oneName reports whether all digests of a file are of the same thing.
func oneName(all []sums.Sum) bool {
	return !slices.ContainsFunc(all, func(s sums.Sum) bool { return s.Name != all[0].Name })
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

var (
	// word is a part of a name: a version is one, with the dots in it.
	word = regexp.MustCompile(`[^-.]*[0-9](?:\.[0-9]+)+|[^-.]+`)
	// build is a word that changes from build to build.
	build = regexp.MustCompile(`^(?i:build|snapshot|v|r|b)?[0-9]+(?:\.[0-9]+)*$`)
	// moving are the words that stand for whatever is newest.
	moving = []string{"latest", "current"}
)

// isBuild reports whether name is what a vendor calls a build of the image asked: with all
// its words in their order and nothing but versions between them.
func isBuild(asked, name string) bool {
	words := func(s string) []string {
		return slices.DeleteFunc(word.FindAllString(s, -1), func(w string) bool { return slices.Contains(moving, w) })
	}
	want := words(asked)
	for _, w := range words(name) {
		switch {
		case len(want) > 0 && w == want[0]:
			want = want[1:]
		case !build.MatchString(w):
			return false
		}
	}
	return len(want) == 0
}
