package secrets

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Text looks at a text, such as a log.
func (s *Search) Text(place, where, text string) { s.add(place, where, s.among(text)) }

// Tree looks at each file below dir, or at dir itself if it is one. There must be
// one.
func (s *Search) Tree(place, dir string) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		s.add(place, path, s.read(f))
		return f.Close()
	})
	if err == nil && files == 0 {
		err = errors.New("there is no file to look at")
	}
	if err != nil {
		s.t.Errorf("searching %s: %v", dir, err)
	}
}

func (s *Search) add(place, where string, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.found[Finding{place, name, where}] = true
	}
}

// Bounds of what is read of a file: in all, and at a time.
const (
	maxFile = 16 << 20
	piece   = 1 << 20
)

// among returns the names of what is in text.
func (s *Search) among(text string) []string {
	var names []string
	for name, t := range s.Texts {
		if strings.Contains(text, t) {
			names = append(names, name)
		}
	}
	return names
}

// read returns the names of what is in r. It holds a piece at a time, with the end
// of the one before: a text may lie across.
func (s *Search) read(r io.Reader) []string {
	r = io.LimitReader(r, maxFile)
	var names []string
	overlap := s.longest() - 1
	buf, kept := make([]byte, piece+overlap), 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		data := buf[:kept+n]
		for name, text := range s.Texts {
			if bytes.Contains(data, []byte(text)) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if err != nil {
			return names
		}
		kept = copy(buf, data[len(data)-overlap:])
	}
}

func (s *Search) longest() int {
	n := 1
	for _, text := range s.Texts {
		n = max(n, len(text))
	}
	return n
}
