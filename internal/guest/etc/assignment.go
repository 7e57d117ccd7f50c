package etc

import "strings"

// ParseAssignments reads the NAME=value lines of a file in the shell's syntax
// that is restricted to assignments, such as os-release(5). Quotes are taken
// off and backslashes undone; nothing is expanded. Other lines are ignored and
// of two assignments the last counts.
func ParseAssignments(data []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, raw, ok := cutAssignment(line); ok {
			values[name] = unquote(raw)
		}
	}
	return values
}

// SetAssignment gives the variable name the value in a file of assignments:
// its last assignment is rewritten, or one added at the end. The value is
// quoted when the shell needs it or when the old one was.
func SetAssignment(data []byte, name, value string) []byte {
	lines := SplitLines(data)
	for i := len(lines) - 1; i >= 0; i-- {
		found, raw, ok := cutAssignment(lines[i])
		if !ok || found != name {
			continue
		}
		if unquote(raw) == value {
			return data
		}
		text, end := CutEnd(lines[i])
		left := text[:strings.IndexByte(text, '=')+1]
		if _, rest := firstWord(raw); strings.HasPrefix(strings.TrimLeft(rest, " \t"), "#") {
			end = rest + end // a comment
		}
		quoted := strings.HasPrefix(raw, `"`) || strings.HasPrefix(raw, "'")
		lines[i] = left + quote(value, quoted) + end
		return JoinLines(lines)
	}
	return JoinLines(appendLine(lines, name+"="+quote(value, false)))
}

// cutAssignment splits a line NAME=value, before which "export" may stand.
func cutAssignment(line string) (name, raw string, ok bool) {
	text, _ := CutEnd(line)
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(strings.TrimPrefix(text, "export "))
	name, raw, ok = strings.Cut(text, "=")
	if !ok || name == "" || strings.Trim(name, nameCharacters) != "" {
		return "", "", false
	}
	return name, raw, true
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// unquote returns the first word of raw as the shell reads it, without expansions.
func unquote(raw string) string {
	word, _ := firstWord(raw)
	return word
}

// firstWord is unquote, with what is behind that word. Inside double quotes a backslash
// protects $ ` " \ only.
func firstWord(raw string) (word, rest string) {
	var out strings.Builder
	var open byte // the quote we are in
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case open == c:
			open = 0
		case open == 0 && (c == ' ' || c == '\t'):
			return out.String(), raw[i:]
		case c == '\\' && open != '\'' && i+1 < len(raw) &&
			(open == 0 || strings.IndexByte("$`\"\\", raw[i+1]) >= 0):
			i++
			out.WriteByte(raw[i])
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), ""
}

// quote writes value so that unquote and a shell read it back.
func quote(value string, always bool) string {
	if !always && value != "" && strings.Trim(value, nameCharacters+"-.,:/@%+") == "" {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + `"`
}
