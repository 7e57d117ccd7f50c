package values

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// Modes of injected files.
const (
	DefaultFileMode = 0o440
	MaxFileMode     = 0o7777
)

// FileFlag is a parsed --file: the file to read on the node and where it goes.
type FileFlag struct {
	Source string
	File   spec.File // without its contents
}

// ParseFileFlag reads SRC:DEST[:MODE[:OWNER[:GROUP]]], MODE in octal.
func ParseFileFlag(s string) (FileFlag, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 5 || parts[0] == "" {
		return FileFlag{}, fmt.Errorf("%s: %w: expected SRC:DEST[:MODE[:OWNER[:GROUP]]]", problem.Quote(s), ErrFileFlag)
	}
	parts = append(parts, "", "", "")[:5]
	f := FileFlag{Source: parts[0], File: spec.File{Path: parts[1], Mode: DefaultFileMode, Owner: parts[3], Group: parts[4]}}
	if err := CheckFile(f.File); err != "" {
		return FileFlag{}, fmt.Errorf("%s: %w: %s", problem.Quote(s), ErrFileFlag, err)
	}
	if parts[2] == "" {
		return f, nil
	}
	mode, err := strconv.ParseUint(parts[2], 8, 32)
	if err != nil || mode > MaxFileMode {
		return FileFlag{}, fmt.Errorf("%s: %w: expected an octal mode up to 7777, as in 0644", problem.Quote(s), ErrFileFlag)
	}
	f.File.Mode = uint32(mode)
	return f, nil
}

// CheckFile returns what is wrong with a file to inject, "" if it is valid.
func CheckFile(f spec.File) string {
	for _, err := range []string{CheckPath(f.Path), CheckAccount(f.Owner), CheckAccount(f.Group)} {
		if err != "" {
			return err
		}
	}
	return ""
}

// onWindows is the beginning of an absolute path of Windows.
var onWindows = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

func CheckPath(p string) string {
	if onWindows.MatchString(p) {
		p = strings.ReplaceAll(p[2:], `\`, "/")
	}
	switch {
	case !strings.HasPrefix(p, "/"):
		return "the path is not absolute"
	case strings.HasSuffix(p, "/") || path.Clean(p) == "/" || path.Base(p) == "." || path.Base(p) == "..":
		return "the path names a directory"
	case len(p) > 4095 || strings.ContainsFunc(p, IsControl):
		return "the path is too long or holds a control character"
	}
	return ""
}

func CheckAccount(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return IsControl(r) || r == ':' }) || len(name) > 256 {
		return problem.Quote(name) + " is not a valid name of a user or group"
	}
	return ""
}
