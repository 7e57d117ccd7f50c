package reportfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"snf-image/internal/report"

	"golang.org/x/sys/unix"
)

// Kept is how many reports about one machine Archive keeps.
const Kept = 5

// Archive puts r into the directory dir as MACHINE.json, and keeps those before it as
// MACHINE.json.1 and so on, the newest first. It makes the directory, and refuses one in
// which others than its owner could plant a file or a link, or that is not the caller's.
func Archive(dir, machine string, r *report.Deployment) error {
	name := fileName(machine)
	if name == "" {
		return errors.New("archiving the report: the machine has no name")
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the directory of reports: %w", err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the directory of reports, %s: %w", dir, err)
	}
	d := &Destination{dir: os.NewFile(uintptr(fd), dir), name: name}
	defer func() { _ = d.Close() }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("opening the directory of reports, %s: %w", dir, err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("archiving the report: others may write to %s, or own it", dir)
	}
	if err := d.rotate(); err != nil {
		return fmt.Errorf("keeping the reports before this one: %w", err)
	}
	return d.Put(r)
}

// rotate gives each earlier report the next number, and the oldest up.
func (d *Destination) rotate() error {
	numbered := func(n int) string {
		if n == 0 {
			return d.name
		}
		return fmt.Sprintf("%s.%d", d.name, n)
	}
	for n := Kept - 2; n >= 0; n-- {
		err := unix.Renameat(int(d.dir.Fd()), numbered(n), int(d.dir.Fd()), numbered(n+1))
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// maxName bounds the name of a file, which gets an ending and a number (NAME_MAX).
const maxName = 200

// fileName returns the name of a machine's file. Every name of a machine gives a file
// directly in the directory that is not hidden.
func fileName(machine string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, machine[:min(len(machine), maxName)])
	if name == "" {
		return ""
	}
	if name[0] == '.' {
		name = "_" + name[1:]
	}
	return name + ".json"
}
