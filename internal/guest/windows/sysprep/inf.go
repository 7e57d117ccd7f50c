package sysprep

import "strings"

// inf is a file of sections with assignments, a line for each. What it does not
// understand it keeps: comments, order, spaces, lines that are wrong.
type inf struct {
	lines []string // without line ends
	end   string
}

// parseInf reads a text, which may end its lines in either way; the first one tells.
func parseInf(text string) *inf {
	f := &inf{end: "\r\n"}
	if text == "" {
		return f
	}
	if i := strings.IndexByte(text, '\n'); i >= 0 && (i == 0 || text[i-1] != '\r') {
		f.end = "\n"
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		f.lines = append(f.lines, strings.TrimSuffix(line, strings.TrimSuffix(f.end, "\n")))
	}
	return f
}

func (f *inf) String() string {
	var b strings.Builder
	for _, line := range f.lines {
		b.WriteString(line + f.end)
	}
	return b.String()
}

// section returns the name of the section that a line begins.
func section(line string) (string, bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "[") {
		return "", false
	}
	name, _, _ := strings.Cut(line[1:], "]")
	return strings.TrimSpace(name), true
}

// assignment returns name and value of a line, without quotes and comments.
func assignment(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if strings.HasPrefix(name, ";") || name == "" {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	if rest, quoted := strings.CutPrefix(value, `"`); quoted {
		value, _, _ = strings.Cut(rest, `"`)
	} else {
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimSpace(value)
	}
	return name, value, ok
}

// visit calls see for each line of the sections of that name, until it returns false. head is
// set for the line with the section's name.
func (f *inf) visit(name string, see func(i int, head bool) bool) {
	inside := false
	for i, line := range f.lines {
		if s, ok := section(line); ok {
			inside = strings.EqualFold(s, name)
			if inside && !see(i, true) {
				return
			}
			continue
		}
		if inside && !see(i, false) {
			return
		}
	}
}

// get returns the first value of that name that is not empty.
func (f *inf) get(in, name string) (value string) {
	f.visit(in, func(i int, head bool) bool {
		if n, v, ok := assignment(f.lines[i]); ok && !head && strings.EqualFold(n, name) {
			value = v
		}
		return value == ""
	})
	return value
}

// set gives the name a value wherever it has one, else at the end of the section.
func (f *inf) set(in, name, value string) {
	found := false
	f.visit(in, func(i int, head bool) bool {
		if n, v, ok := assignment(f.lines[i]); ok && !head && strings.EqualFold(n, name) {
			if found = true; v != value {
				f.lines[i] = n + "=" + value
			}
		}
		return true
	})
	if !found {
		f.add(in, name+"="+value)
	}
}

// add adds a line to the end of the first section of that name, which is made where there is
// none.
func (f *inf) add(in, line string) {
	at, sections := -1, 0
	f.visit(in, func(i int, head bool) bool {
		if head {
			sections++
		}
		if sections == 1 && (head || strings.TrimSpace(f.lines[i]) != "") {
			at = i + 1
		}
		return sections < 2
	})
	if at < 0 {
		f.lines = append(f.lines, "["+in+"]", line)
		return
	}
	f.lines = append(f.lines[:at], append([]string{line}, f.lines[at:]...)...)
}
