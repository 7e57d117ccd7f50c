package netconf

import (
	"path"
	"slices"
	"strings"
)

// Stanza words of interfaces(5) that begin with the names of interfaces.
var namingWords = []string{"auto", "no-auto-down", "no-scripts", "rename", "mapping", "iface"}

// Sources returns the lines of an interfaces file that include others, trimmed.
func Sources(data []byte) []string {
	var out []string
	for _, l := range logicalLines(data) {
		if strings.HasPrefix(l.word, "source") {
			out = append(out, strings.Join(strings.Fields(l.text), " "))
		}
	}
	return out
}

// SourcePattern returns the glob of a "source" or "source-directory" line found
// in the file dir/…; directory is set for the latter. ok is false for what only
// a shell can expand.
func SourcePattern(line, dir string) (pattern string, directory, ok bool) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if rest == "" || strings.ContainsAny(rest, "$`~{}\"'\\ ") {
		return "", false, false
	}
	if !strings.HasPrefix(rest, "/") {
		rest = path.Join(dir, rest)
	}
	return rest, strings.HasPrefix(word, "source-dir"), true
}

// ReadByDirectory reports whether "source-directory" reads a file of that name.
func ReadByDirectory(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// DisableEthernet comments out the stanzas of an interfaces file that configure
// Ethernet interfaces, or by a pattern anything, and returns the names it found
// there: the NICs of the instance must have one configuration only. Stanzas of
// other interfaces (lo, br0, tun0, a VLAN) stay active, as do comments.
func DisableEthernet(data []byte) (out []byte, names []string) {
	var b strings.Builder
	disabled := false // inside of a stanza that is taken out
	for _, l := range logicalLines(data) {
		switch hits := l.ethernet(); {
		case l.text == "":
			b.WriteString(l.raw)
			continue
		case len(hits) > 0:
			names = append(names, hits...)
			disabled = l.opens()
			b.WriteString(comment(l.raw) + l.others())
			continue
		case l.isStanza():
			disabled = false
		}
		if disabled {
			b.WriteString(comment(l.raw))
		} else {
			b.WriteString(l.raw)
		}
	}
	slices.Sort(names)
	return []byte(b.String()), slices.Compact(names)
}

const disabledMark = "# disabled by snf-image: "

// comment turns every physical line of raw into a comment.
func comment(raw string) string {
	var b strings.Builder
	for line := range strings.Lines(raw) {
		if strings.TrimSpace(line) == "" {
			b.WriteString(line)
			continue
		}
		// A backslash at the end of a comment would take the next line with it.
		text := strings.TrimRight(line, "\r\n")
		b.WriteString(disabledMark + strings.TrimRight(text, `\`) + line[len(text):])
	}
	return b.String()
}

// logicalLine is a line with its continuations.
type logicalLine struct {
	raw  string // as it is in the file, several lines if continued
	text string // joined and trimmed, empty for a comment or a blank line
	word string // first word of text
}

// logicalLines splits a file; the raw parts together are the file. A backslash
// continues a line only if the line is not a comment. A file may be one line with a
// million continuations: no part of it is copied for each of them.
func logicalLines(data []byte) []logicalLine {
	var out []logicalLine
	var text strings.Builder
	file, begin, end := string(data), 0, 0
	flush := func() {
		joined := strings.TrimSpace(text.String())
		word, _, _ := strings.Cut(strings.ReplaceAll(joined, "\t", " "), " ")
		out = append(out, logicalLine{raw: file[begin:end], text: joined, word: word})
		begin = end
		text.Reset()
	}
	for line := range strings.Lines(file) {
		body := strings.TrimRight(line, "\r\n")
		first := begin == end
		end += len(line)
		if first && strings.HasPrefix(strings.TrimSpace(body), "#") {
			flush()
			continue
		}
		part, continued := strings.CutSuffix(body, `\`)
		text.WriteString(part)
		if !continued {
			flush()
		}
	}
	if begin < end {
		flush()
	}
	return out
}

// isStanza reports whether the line begins a stanza.
func (l logicalLine) isStanza() bool {
	return slices.Contains(namingWords, l.word) || strings.HasPrefix(l.word, "allow-") ||
		strings.HasPrefix(l.word, "source")
}

// opens reports whether the lines behind belong to the stanza.
func (l logicalLine) opens() bool { return l.word == "iface" || l.word == "mapping" }

// interfaces returns the names the line is about.
func (l logicalLine) interfaces() []string {
	if !slices.Contains(namingWords, l.word) && !strings.HasPrefix(l.word, "allow-") {
		return nil
	}
	names := strings.Fields(l.text)[1:]
	if l.word == "iface" && len(names) > 1 {
		names = names[:1]
	}
	return names
}

func (l logicalLine) ethernet() []string {
	return slices.DeleteFunc(l.interfaces(), func(n string) bool { return !IsEthernet(n) })
}

// others returns a line for the names of a list that stay, or "".
func (l logicalLine) others() string {
	rest := slices.DeleteFunc(l.interfaces(), IsEthernet)
	if l.opens() || len(rest) == 0 {
		return ""
	}
	return l.word + " " + strings.Join(rest, " ") + "\n"
}

// IsEthernet knows the names the kernel and udev give to Ethernet interfaces
// (systemd.net-naming-scheme(7)), their aliases ("eth0:1"), and patterns, which
// may match one.
func IsEthernet(name string) bool {
	if strings.ContainsAny(name, "/*?[=") {
		return true
	}
	base, _, _ := strings.Cut(name, ":")
	digits, isEth := strings.CutPrefix(base, "eth")
	if isEth {
		return digits != "" && strings.Trim(digits, "0123456789") == ""
	}
	if len(base) < 3 || !strings.HasPrefix(base, "en") || strings.Contains(base, ".") {
		return false
	}
	return strings.IndexByte("opsxXvPadu", base[2]) >= 0
}
