package windows

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/spec"
)

// everybody is for files of the personality: Windows has no owner, group and mode of them.
var everybody = rootfs.Attr{Mode: 0o755}

// Inject puts files into the tree. A file that is there is kept under another name. All
// places are looked at before anything is written. The set-up that was prepared still is: what
// cleans up behind it is added to a SetupComplete.cmd.
func Inject(g system.Guest, s System, files []spec.File, now time.Time) error {
	root := g.Root
	places, err := placesOf(root, files)
	if err != nil {
		return err
	}
	prepared := waiting(root)
	for n, f := range files {
		same := func(p string) bool { return strings.EqualFold(p, places[n]) }
		if slices.ContainsFunc(places[n+1:], same) {
			continue // the last one counts
		}
		data := f.Contents
		if prepared {
			data = s.content(g, places[n], f)
		}
		if err := inject(root, places[n], data, now); err != nil {
			return fmt.Errorf("injecting %s: %w", f.Path, err)
		}
	}
	return nil
}

// content returns what a file that goes to p holds where a set-up is prepared. Of what that loses it warns.
func (s System) content(g system.Guest, p string, f spec.File) []byte {
	same := func(o string) bool { return strings.EqualFold(o, p) }
	switch {
	case same(script.Complete):
		return script.SetupComplete(f.Contents, s.places())
	case slices.ContainsFunc(s.places(), same):
		g.Warn("%s is an answer file beside the one that was completed, or instead of it: if it counts, computer name, product key and commands of that are lost; give it by os_answer_file", f.Path)
	case same(script.Passwords):
		g.Warn("%s takes the place of the script with passwords: those that were to be set are not, unless it sets them", f.Path)
	}
	return f.Contents
}

// placesOf returns where each file goes.
func placesOf(root *rootfs.Root, files []spec.File) (places []string, err error) {
	taken := map[string]bool{} // in lower case
	for n, f := range files {
		p, err := Place(f.Path)
		if err == nil {
			err = checkPlace(root, p)
		}
		if err == nil && root.Has(p) && units(path.Base(setAsideAs(p, time.Time{}))) > maxName {
			err = errors.New("the file that is there cannot be kept beside it: its name is too long")
		}
		if err != nil {
			return nil, outcome.Advise(fmt.Errorf("personality entry %d, %s: %w", n+1, f.Path, err), "correct the path in img_personality")
		}
		places, taken[strings.ToLower(p)] = append(places, p), true
	}
	for n, p := range places {
		for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
			if taken[strings.ToLower(dir)] {
				return nil, outcome.Advise(fmt.Errorf("personality entry %d, %s: another entry makes %s a file", n+1, files[n].Path, shown(dir)), "correct the path in img_personality")
			}
		}
	}
	return places, nil
}

func inject(root *rootfs.Root, p string, data []byte, now time.Time) error {
	if _, err := root.MkdirAll(path.Dir(p), everybody); err != nil {
		return err
	}
	if root.Has(p) {
		if _, err := setAside(root, p, now); err != nil {
			return err
		}
	}
	return root.WriteFile(p, data, everybody)
}

// checkPlace returns what keeps a file from being made.
func checkPlace(root *rootfs.Root, p string) error {
	if root.IsDir(p) {
		return errors.New("it is a directory of the image")
	}
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if root.Has(dir) && !root.IsDir(dir) {
			return fmt.Errorf("%s is not a directory, or is a link, which is not followed", shown(dir))
		}
	}
	return nil
}

// Windows does not take these for names, whatever their extension is, nor these characters in
// one; a name has at most maxName units of UTF-16.
var (
	device    = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?$`)
	forbidden = regexp.MustCompile(`[\x00-\x1f<>:"|?*]|[. ]$`)
	// metadata are the files of NTFS itself.
	metadata = regexp.MustCompile(`(?i)^/\$(mft|mftmirr|logfile|volume|attrdef|bitmap|boot|badclus|secure|upcase|extend)(/|$)`)
)

const maxName = 255

// Place returns the path in the tree of one that is written as on Windows, C:\a\b, or as
// elsewhere, /a/b.
func Place(text string) (string, error) {
	rest := text
	if len(text) > 1 && text[1] == ':' {
		if drive := text[0] | 0x20; drive != 'c' {
			return "", errors.New("files are injected on drive C: only")
		}
		rest = text[2:]
	}
	rest = strings.ReplaceAll(rest, `\`, "/")
	if !strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "//") {
		return "", errors.New(`the path is not absolute, like C:\a\b or /a/b`)
	}
	clean := path.Clean(rest)
	if clean == "/" || strings.HasSuffix(rest, "/") {
		return "", errors.New("the path is that of a directory")
	}
	if metadata.MatchString(clean) {
		return "", errors.New("it belongs to the file system")
	}
	for _, name := range strings.Split(clean[1:], "/") {
		if device.MatchString(name) || forbidden.MatchString(name) || !utf8.ValidString(name) || units(name) > maxName {
			return "", fmt.Errorf("%q cannot be the name of a file of Windows", name)
		}
	}
	return clean, nil
}

// units returns how long a name is in UTF-16.
func units(name string) int { return len(utf16.Encode([]rune(name))) }
