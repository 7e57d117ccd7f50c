// Command words looks for ways to write that this tree does not use, and prints each with
// its place and a remedy. `make lint` runs it in the root of the tree.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

func main() {
	found, err := check(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, f := range found {
		fmt.Println(f)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

// word is a way to write that this tree does not use.
type word struct {
	pattern *regexp.Regexp
	remedy  string
	// but leaves out matches that are fine.
	but *regexp.Regexp
}

// words returns the list. It holds what can be found without false alarms; the rest of the
// style is for reviews.
func words() []word {
	list := []struct{ pattern, remedy, but string }{
		{`\b[Cc]an not\b`, `write "cannot"`, ""},
		{`\b[Ss]ays? (whether|if)\b`, `write "reports whether"`, ""},
		{`\b[Tt]ells (whether|if)\b`, `write "reports whether"`, ""},
		{`\b[Cc]ustomis`, `write "customize"`, ""},
		{`[Rr]ecognis`, `write "recognize"`, ""},
		{`\b(is|are|was|were) none of\b`, `negate with "not": "is not one of", "expected one of"`, ""},
		{`\w+["')]* (is|are|was|were) no [a-z]+`, `negate with "not": "is not a"`, `(?i)^(there|where|is|are|was|were) |no (longer|more|less|other)$`},
		{`(?i)\b(lament|haggle|lastWord)`, `name what it does, without irony`, ""},
		{`\b[Mm]end(s|ed|ing)?\b`, `write "fix" or "repair"`, ""},
		{`\binterface(\.md|-details)\b`, `name a document of this tree, such as docs/reference.md`, ""},
		{`\b[Bb]lam(e|es|ed|ing)\b`, `say what is the cause of what`, ""},
	}
	var all []word
	for _, w := range list {
		entry := word{pattern: regexp.MustCompile(w.pattern), remedy: w.remedy}
		if w.but != "" {
			entry.but = regexp.MustCompile(w.but)
		}
		all = append(all, entry)
	}
	return all
}

// prose are the names of files that are read for words, by their end.
var prose = []string{".go", ".md", ".sh", ".1", ".8", ".yaml", ".list", ".txtar", "Makefile", "snf-image", "postinst", "preinst", "postrm", "lintian-overrides"}

// check returns where the tree writes what it should not.
func check(root fs.FS) ([]string, error) {
	var found []string
	list := words()
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"build", "bin", "dist"}, p)):
			return fs.SkipDir
		case !d.Type().IsRegular() || path.Dir(p) == "tests/words":
			return nil
		case !slices.ContainsFunc(prose, func(end string) bool { return strings.HasSuffix(p, end) }):
			return nil
		}
		text, err := fs.ReadFile(root, p)
		found = append(found, wordsIn(list, p, string(text))...)
		return err
	})
	return found, err
}

// wordsIn returns the words of one file with their lines.
func wordsIn(list []word, name, text string) (found []string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, w := range list {
			for _, m := range w.pattern.FindAllString(line, -1) {
				if w.but == nil || !w.but.MatchString(m) {
					found = append(found, fmt.Sprintf("%s:%d: %q: %s", name, number, m, w.remedy))
				}
			}
		}
	}
	return found
}
