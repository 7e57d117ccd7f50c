package problem

// Nearest returns the one of the known names that name is most likely a slip of
// the keyboard for: letters missing, doubled, wrong or exchanged, few for the
// length of the name. It returns "" when none is that close.
func Nearest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := slips(name, k); d > 0 && d < least && d <= tolerated(k) {
			best, least = k, d
		}
	}
	return best
}

// tolerated is how many slips still leave a name of that length recognizable.
// Metadata of image stores has many short names, so a short one has to be closer.
func tolerated(name string) int {
	if len(name) < 8 {
		return 1
	}
	return 2
}

// slips counts what turns a into b: inserting, deleting, replacing one byte, or
// exchanging two neighbours (the optimal string alignment distance).
func slips(a, b string) int {
	const longest = 128
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// DidYouMean is the remedy for an unknown name, "" when no known one is close.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
