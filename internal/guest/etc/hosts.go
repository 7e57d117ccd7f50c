package etc

import "strings"

// RenameOwnHost rewrites the 127.0.1.1 lines of a hosts(5) file, by which
// Debian's systems know themselves, to name and its first label. It never adds
// one. A comment behind the names stays.
func RenameOwnHost(data []byte, name string) []byte {
	names := name
	if short, _, dotted := strings.Cut(name, "."); dotted && short != "" {
		names += " " + short
	}
	return editHosts(data, "127.0.1.1", func(string) string { return names })
}

// RenameLoopback replaces old among the names of the 127.0.0.1 lines by name,
// and adds name at the end of such a line that did not hold it.
func RenameLoopback(data []byte, old, name string) []byte {
	return editHosts(data, "127.0.0.1", func(names string) string {
		var out []string
		for _, n := range strings.Fields(names) {
			if n != old && n != name {
				out = append(out, n)
			}
		}
		return strings.Join(append(out, name), " ")
	})
}

// LeaveLoopback takes old, whole and as its first label, from the names of the
// loopback addresses. The names of localhost stay, as does name itself.
func LeaveLoopback(data []byte, old, name string) []byte {
	label, _, _ := strings.Cut(old, ".")
	if label == "" || label == "localhost" || old == name {
		return data
	}
	leave := func(names string) string {
		var out []string
		for _, n := range strings.Fields(names) {
			if n != label && (n == name || !strings.HasPrefix(n, label+".")) {
				out = append(out, n)
			}
		}
		switch len(out) {
		case len(strings.Fields(names)):
			return names
		case 0: // a line needs a name
			return "localhost"
		}
		return strings.Join(out, " ")
	}
	return editHosts(editHosts(data, "127.0.0.1", leave), "::1", leave)
}

// editHosts passes the names of each line for address to edit.
func editHosts(data []byte, address string, edit func(names string) string) []byte {
	lines := SplitLines(data)
	for i, line := range lines {
		text, end := CutEnd(line)
		names, comment := text, ""
		if at := strings.IndexByte(text, '#'); at >= 0 {
			names, comment = text[:at], text[at:]
		}
		trimmed := strings.TrimLeft(names, " \t")
		rest, ok := strings.CutPrefix(trimmed, address)
		if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		start := names[:len(names)-len(rest)]
		if changed := edit(strings.TrimSpace(rest)); changed != strings.TrimSpace(rest) {
			lines[i] = start + gap(rest) + changed + tail(rest, comment) + comment + end
		}
	}
	return JoinLines(lines)
}

// gap returns the white space before the names, which is a tab if there is none.
func gap(rest string) string {
	if white := rest[:len(rest)-len(strings.TrimLeft(rest, " \t"))]; white != "" {
		return white
	}
	return "\t"
}

// tail returns the white space between names and comment.
func tail(rest, comment string) string {
	white := rest[len(strings.TrimRight(rest, " \t")):]
	if comment != "" && white == "" {
		return " "
	}
	return white
}
