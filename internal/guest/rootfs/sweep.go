package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// File is one file of a tree for Relabel.
type File struct {
	Path  string // real
	Kind  fs.FileMode
	Label string // "" for none
	// Content is when the content was changed last, Inode when anything of the file was.
	Content, Inode time.Time
	// Dir is the label of its directory. Below is set in a directory for which the visit
	// said so.
	Dir   string
	Below bool
}

// Relabel visits every file of the tree, directories before what is in them, and gives those
// the label that the visit returns, if it is not empty. below is passed on to the files of a
// directory. It returns how many labels were set.
func (r *Root) Relabel(ctx context.Context, visit func(f File) (label string, below bool)) (int, error) {
	s := sweep{root: r, visit: visit, todo: []File{{Path: "/"}}}
	top, err := r.open("/", unix.O_PATH)
	if err != nil {
		return 0, err
	}
	s.todo[0].Label, _ = parent{top, "/", "."}.label()
	_ = top.Close()
	for len(s.todo) > 0 {
		if err := ctx.Err(); err != nil {
			return s.set, err
		}
		dir := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		if err := s.directory(dir); err != nil {
			return s.set, fmt.Errorf("labelling %.200q: %w", dir.Path, err)
		}
	}
	return s.set, nil
}

// sweep is one Relabel.
type sweep struct {
	root  *Root
	visit func(File) (string, bool)
	todo  []File // directories
	set   int
}

// directory visits what is in a directory. It is opened by a path without symbolic links,
// which nobody changes meanwhile.
func (s *sweep) directory(dir File) error {
	f, err := s.root.open(dir.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if err := s.file(dir, parent{f, dir.Path, name}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *sweep) file(dir File, at parent) error {
	st, err := lstatAt(at)
	if err != nil {
		return err
	}
	f := File{
		Path: at.join(), Kind: kindBits(st), Dir: dir.Label, Below: dir.Below,
		Content: time.Unix(st.Mtim.Unix()), Inode: time.Unix(st.Ctim.Unix()),
	}
	if f.Label, err = at.label(); errors.Is(err, unix.ENOTSUP) {
		f.Label = dir.Label // a file system without labels
	} else if err != nil {
		return err
	} else if label, below := s.visit(f); label != "" && label != f.Label {
		if err := at.setLabel(label); err != nil {
			return err
		}
		f.Label, f.Below = label, below
		s.set++
	} else {
		f.Below = below
	}
	if f.Kind == fs.ModeDir {
		s.todo = append(s.todo, f)
	}
	return nil
}

// OpenRegular opens the regular file p for reading, following symbolic links inside the
// image.
func (r *Root) OpenRegular(p string) (*os.File, error) {
	f, err := r.openRegular(p)
	return f, wrap("opening", p, err)
}

// ReadHead returns the first bytes of the regular file p, at most n, following symbolic links
// inside the image.
func (r *Root) ReadHead(p string, n int) ([]byte, error) {
	f, err := r.openRegular(p)
	if err != nil {
		return nil, wrap("reading", p, err)
	}
	defer func() { _ = f.Close() }()
	data := make([]byte, n)
	n, err = io.ReadFull(f, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return data[:n], wrap("reading", p, err)
}
