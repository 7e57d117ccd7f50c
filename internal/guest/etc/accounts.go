package etc

import (
	"slices"
	"strconv"
	"strings"
)

// AddEntry adds an entry to a file of accounts: at its end, but before the entries of NIS,
// which ask a server for all that come after them.
func AddEntry(data []byte, entry string) []byte {
	lines := SplitLines(data)
	n := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "+") })
	if n < 0 {
		return JoinLines(appendLine(lines, entry))
	}
	return JoinLines(slices.Insert(lines, n, entry+lineEnd(lines)))
}

// AddMember adds a user to the members of a group, the last field of its first entry in
// a group(5) or gshadow(5) file. Without such an entry nothing changes.
func AddMember(data []byte, group, user string) []byte {
	lines := SplitLines(data)
	for i, line := range lines {
		text, end := CutEnd(line)
		f := strings.Split(text, ":")
		if f[0] != group || len(f) != 4 {
			continue
		}
		members := strings.Split(f[3], ",")
		switch {
		case slices.Contains(members, user):
			return data
		case f[3] == "":
			f[3] = user
		default:
			f[3] += "," + user
		}
		lines[i] = strings.Join(f, ":") + end
		break
	}
	return JoinLines(lines)
}

// ParseDefs returns the settings of a login.defs(5) file: a name and a value between
// white space.
func ParseDefs(data []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0][0] != '#' {
			values[f[0]] = strings.Trim(f[1], `"`)
		}
	}
	return values
}

// FreeRange returns the first number of a free range of that length in a subuid(5) file,
// from first to last: behind all that are taken, as useradd(8) does, or 0 if there is none.
func FreeRange(data []byte, first, last, length int64) int64 {
	for line := range strings.Lines(string(data)) {
		f := fields(line)
		if len(f) < 3 {
			continue
		}
		start, err1 := strconv.ParseInt(f[1], 10, 64)
		count, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 == nil && err2 == nil && start >= 0 && start <= last && count > 0 && count <= last {
			first = max(first, start+count)
		}
	}
	if first+length-1 > last {
		return 0
	}
	return first
}
