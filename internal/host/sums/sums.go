package sums

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 1 << 20

// Sum is one digest a file of checksums gives.
type Sum struct {
	Algorithm string // "sha512", "sha256", or a weaker one, in small letters without a hyphen
	Hex       string // small letters
	Name      string // of the file it is of; empty for a digest that stands alone
}

// Errors of files of checksums.
var (
	ErrNoSums    = errors.New("not a file of checksums")
	ErrNoEntry   = errors.New("it has no line for the image")
	ErrAmbiguous = errors.New("it has two different digests for the image")
	ErrWeak      = errors.New("it has only digests that are too weak: md5 and sha1 prove nothing")
	ErrTooBig    = fmt.Errorf("it has more than %d bytes", MaxFile)
)

// hexLength is the number of hexadecimal digits of each digest that is recognized.
var hexLength = map[string]int{"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}

// strongest lists the digests that prove something and that the copy computes, best first.
var strongest = []string{"sha512", "sha256"}

var (
	// gnuLine is a line as coreutils write it: the digest, one more space or a star for a
	// file that was read as binary, and the name. Some vendors use one space alone.
	gnuLine = regexp.MustCompile(`^\\?([0-9A-Fa-f]{32,128}) [ *]?(\S.*)$`)
	// bsdLine is a line as BSD's md5(1) and sha256(1), and coreutils with --tag, write it.
	bsdLine = regexp.MustCompile(`^([A-Za-z0-9-]+) \((.+)\) ?= ?([0-9A-Fa-f]{32,128})$`)
	// bareLine is a digest without a name.
	bareLine = regexp.MustCompile(`^[0-9A-Fa-f]{32,128}$`)
	// blockLine begins a block of Gentoo's and Flatcar's DIGESTS.
	blockLine = regexp.MustCompile(`^# ([A-Za-z0-9-]+) HASH$`)
)

// Parse reads a file of checksums in any of the layouts vendors use: lines of coreutils
// and of BSD, a bare digest, blocks of several algorithms, and the JSON that lies beside
// Debian's images. Lines it does not know are passed over. It is ErrNoSums when no line
// holds a digest.
func Parse(data []byte) ([]Sum, error) {
	if len(data) > MaxFile {
		return nil, ErrTooBig
	}
	if t := bytes.TrimSpace(data); len(t) > 0 && t[0] == '{' {
		return parseJSON(t)
	}
	var sums []Sum
	named := "" // the algorithm a block says
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, MaxFile+1)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if m := blockLine.FindStringSubmatch(line); m != nil {
			named = algorithm(m[1])
			continue
		}
		if s, ok := parseLine(line, named); ok {
			sums = append(sums, s)
		}
	}
	if len(sums) == 0 {
		return nil, ErrNoSums
	}
	return sums, nil
}

func parseLine(line, named string) (Sum, bool) {
	var s Sum
	switch {
	case bareLine.MatchString(line):
		s = Sum{Hex: line}
	case bsdLine.MatchString(line):
		m := bsdLine.FindStringSubmatch(line)
		s = Sum{Algorithm: algorithm(m[1]), Name: m[2], Hex: m[3]}
	case gnuLine.MatchString(line):
		m := gnuLine.FindStringSubmatch(line)
		s = Sum{Algorithm: named, Hex: m[1], Name: m[2]}
	default:
		return Sum{}, false
	}
	if s.Algorithm == "" && named == "" {
		s.Algorithm = byLength(len(s.Hex))
	}
	s.Hex = strings.ToLower(s.Hex)
	s.Name = strings.TrimPrefix(s.Name, "./")
	return s, s.Algorithm != "" && hexLength[s.Algorithm] == len(s.Hex)
}

func algorithm(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "")
}

func byLength(digits int) string {
	for name, n := range hexLength {
		if n == digits {
			return name
		}
	}
	return ""
}

// parseJSON reads a document that describes one image, as Debian's NAME.json: the digest
// stands in a field "digest", or under the key of an annotation, as "sha512:" and base64.
func parseJSON(data []byte) ([]Sum, error) {
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, ErrNoSums
	}
	var sums []Sum
	walk(doc, func(text string) {
		name, value, ok := strings.Cut(text, ":")
		length := hexLength[algorithm(name)]
		if !ok || length == 0 {
			return
		}
		if raw, err := base64.StdEncoding.DecodeString(pad(value)); err == nil && len(raw)*2 == length {
			sums = append(sums, Sum{Algorithm: algorithm(name), Hex: hex.EncodeToString(raw)})
		} else if raw, err := hex.DecodeString(value); err == nil && len(raw)*2 == length {
			sums = append(sums, Sum{Algorithm: algorithm(name), Hex: strings.ToLower(value)})
		}
	})
	if len(sums) == 0 {
		return nil, ErrNoSums
	}
	return sums, nil
}

// pad completes base64 that came without its padding.
func pad(s string) string {
	s = strings.TrimRight(s, "=")
	return s + strings.Repeat("=", (4-len(s)%4)%4)
}

// walk calls f for each string of a JSON document. Its depth is bounded by encoding/json.
func walk(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	case map[string]any:
		for _, e := range v {
			walk(e, f)
		}
	}
}

// Choose returns the strongest digest sums give for an image that may have any of names
// (the one that was asked for, and the one a redirect ended at). Directories in a name do
// not count, and of the name's suffix the case does not. A digest that stands alone is of
// the image only if alone is true: its file is named after the image.
func Choose(sums []Sum, names []string, alone bool) (Sum, error) {
	weak := false
	for _, want := range strongest {
		var found *Sum
		for _, s := range sums {
			if !s.of(names, alone) {
				continue
			}
			if s.Algorithm != want {
				weak = true
				continue
			}
			if found != nil && found.Hex != s.Hex {
				return Sum{}, ErrAmbiguous
			}
			found = &s
		}
		if found != nil {
			return *found, nil
		}
	}
	if weak {
		return Sum{}, ErrWeak
	}
	return Sum{}, ErrNoEntry
}

func (s Sum) of(names []string, alone bool) bool {
	if s.Name == "" {
		return alone
	}
	for _, n := range names {
		if sameName(path.Base(s.Name), path.Base(n)) {
			return true
		}
	}
	return false
}

// sameName compares names of files; of the suffix the case does not count.
func sameName(a, b string) bool {
	x, y := path.Ext(a), path.Ext(b)
	return strings.TrimSuffix(a, x) == strings.TrimSuffix(b, y) && strings.EqualFold(x, y)
}
