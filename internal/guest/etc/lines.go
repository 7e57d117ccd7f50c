package etc

import "strings"

// SplitLines cuts data after each line end, which stays with its line. The
// last element has none when the file's final newline is missing. An image may
// consist of line ends: nothing is allocated for each line.
func SplitLines(data []byte) []string {
	text := string(data)
	lines := make([]string, 0, strings.Count(text, "\n")+1)
	for line := range strings.Lines(text) {
		lines = append(lines, line)
	}
	return lines
}

// JoinLines is the inverse of SplitLines.
func JoinLines(lines []string) []byte { return []byte(strings.Join(lines, "")) }

// CutEnd separates a line from its end: "\n", "\r\n" or "".
func CutEnd(line string) (text, end string) {
	text, ended := strings.CutSuffix(line, "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	return text, line[len(text):]
}

// lineEnd returns the line end a file uses, for lines added to it.
func lineEnd(lines []string) string {
	if len(lines) > 0 {
		if _, end := CutEnd(lines[0]); end != "" {
			return end
		}
	}
	return "\n"
}

// appendLine adds one line of text, giving the line before it an end first.
func appendLine(lines []string, text string) []string {
	end := lineEnd(lines)
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += end
	}
	return append(lines, text+end)
}

// AppendMissing adds to data those of lines that are not in it, compared
// without surrounding white space.
func AppendMissing(data []byte, lines []string) []byte {
	missing := map[string]bool{}
	for _, line := range lines {
		missing[strings.TrimSpace(line)] = true
	}
	delete(missing, "")
	out := SplitLines(data)
	for _, line := range out {
		delete(missing, strings.TrimSpace(line))
	}
	for _, line := range lines {
		if line = strings.TrimSpace(line); missing[line] {
			delete(missing, line)
			out = appendLine(out, line)
		}
	}
	return JoinLines(out)
}

// AppendBlock adds the lines of block to the end of data, unless they are there. The first
// such block stands behind a line that marks it.
func AppendBlock(data []byte, mark, block string) []byte {
	lines := SplitLines(data)
	var texts strings.Builder
	texts.WriteString("\n")
	for _, line := range lines {
		text, _ := CutEnd(line)
		texts.WriteString(text + "\n")
	}
	if strings.Contains(texts.String(), "\n"+block) {
		return data
	}
	if !strings.Contains(texts.String(), "\n"+mark+"\n") {
		lines = appendLine(lines, mark)
	}
	for line := range strings.Lines(block) {
		lines = appendLine(lines, strings.TrimSuffix(line, "\n"))
	}
	return JoinLines(lines)
}
