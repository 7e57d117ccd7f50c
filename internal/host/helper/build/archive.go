package build

import (
	"bytes"
	"fmt"

	"github.com/u-root/u-root/pkg/cpio"
)

// archive returns t as a newc cpio archive (Documentation/driver-api/
// early-userspace/buffer-format.rst of Linux). Nothing in it depends on when,
// where or by whom it is made: entries are sorted, inode numbers count up from
// 1, times are 0, everything belongs to root.
func archive(t tree) ([]byte, error) {
	t.parents()
	var out bytes.Buffer
	w := cpio.Newc.Writer(&out)
	for i, name := range t.paths() {
		if err := w.WriteRecord(record(name, t[name], uint64(i+1))); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", name, err)
		}
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return nil, fmt.Errorf("ending the archive: %w", err)
	}
	return out.Bytes(), nil
}

func record(name string, n node, ino uint64) cpio.Record {
	links := uint64(1)
	if n.mode&cpio.S_IFMT == cpio.S_IFDIR {
		links = 2
	}
	return cpio.StaticRecord(n.data, cpio.Info{
		Ino: ino, Mode: n.mode, NLink: links, Rmajor: n.major, Rminor: n.minor, Name: name,
	})
}
