package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Modes of injected files.
const (
	defaultFileMode = 0o440
	maxFileMode     = 0o7777
)

// FileFlag is a parsed --file: the file to read on the node and where it goes.
type FileFlag struct {
	Source string
	File   File // without its contents
}

// ParseFileFlag reads SRC:DEST[:MODE[:OWNER[:GROUP]]], MODE in octal.
func ParseFileFlag(s string) (FileFlag, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 5 || parts[0] == "" {
		return FileFlag{}, fmt.Errorf("%s: %w: expected SRC:DEST[:MODE[:OWNER[:GROUP]]]", shown(s), ErrFileFlag)
	}
	parts = append(parts, "", "", "")[:5]
	f := FileFlag{Source: parts[0], File: File{Path: parts[1], Mode: defaultFileMode, Owner: parts[3], Group: parts[4]}}
	if err := checkFile(f.File); err != "" {
		return FileFlag{}, fmt.Errorf("%s: %w: %s", shown(s), ErrFileFlag, err)
	}
	if parts[2] == "" {
		return f, nil
	}
	mode, err := strconv.ParseUint(parts[2], 8, 32)
	if err != nil || mode > maxFileMode {
		return FileFlag{}, fmt.Errorf("%s: %w: expected an octal mode up to 7777, as in 0644", shown(s), ErrFileFlag)
	}
	f.File.Mode = uint32(mode)
	return f, nil
}
