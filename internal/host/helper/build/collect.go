package build

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"snf-image/internal/host/deb"
)

// collect fills the tree from the packages.
func (b *build) collect(ctx context.Context, debs []packageFile) error {
	b.opts.Log.Info("unpacking packages", "count", len(debs))
	b.kernel = newKernelFiles()
	if err := b.each(ctx, debs[0], b.kernel.visit); err != nil {
		return err
	}
	libraries, tools := newPool(), b.suite.tools()
	for _, d := range debs[1:] {
		s, other := named(tools, d.Name), skip
		if s.name == "" {
			s, other = named(opened, d.Name), libraries.visit
		}
		if err := b.take(ctx, d, s, other); err != nil {
			return err
		}
	}
	addLinks(b.tree)
	b.tree.file("init", 0o755, b.agent)
	if err := addLibraries(b.tree, libraries); err != nil {
		return err
	}
	return addModules(b.tree, b.kernel)
}

// named returns the source of a package; the zero value takes nothing.
func named(sources []source, name string) source {
	i := slices.IndexFunc(sources, func(s source) bool { return s.name == name })
	if i < 0 {
		return source{}
	}
	return sources[i]
}

func skip(*tar.Header, io.Reader) error { return nil }

// take adds the files s names to the tree; each must be there. The others go to other.
func (b *build) take(ctx context.Context, d packageFile, s source, other func(*tar.Header, io.Reader) error) error {
	wanted := s.wanted()
	err := b.each(ctx, d, func(h *tar.Header, r io.Reader) error {
		if !wanted[h.Name] {
			return other(h, r)
		}
		delete(wanted, h.Name)
		if h.Typeflag == tar.TypeSymlink {
			b.tree.link(h.Name, h.Linkname)
			return nil
		}
		data, err := io.ReadAll(r)
		b.tree.file(h.Name, permissions(h), data)
		return err
	})
	if err == nil && len(wanted) > 0 {
		missing := slices.Sorted(maps.Keys(wanted))
		err = fmt.Errorf("package %s has no %s", d.Name, strings.Join(missing, ", "))
	}
	return err
}

// each visits the entries of d, and keeps its licence text and the time of its
// newest file: Debian sets no file's time later than the package's own.
func (b *build) each(ctx context.Context, d packageFile, visit func(*tar.Header, io.Reader) error) error {
	return deb.Walk(ctx, d.path, func(h *tar.Header, r io.Reader) error {
		if h.ModTime.After(b.newest) {
			b.newest = h.ModTime
		}
		if copyright(h) == "" {
			return visit(h, r)
		}
		text, err := io.ReadAll(r)
		b.copyrights[d.Name] = string(text)
		return err
	})
}

// copyrightFile returns the licence texts under the names of their packages. Those of one
// source have the same, half of the bytes.
func (b *build) copyrightFile() []byte {
	var out strings.Builder
	names := map[string][]string{} // by text
	for _, name := range slices.Sorted(maps.Keys(b.copyrights)) {
		text := b.copyrights[name]
		names[text] = append(names[text], name)
	}
	for _, name := range slices.Sorted(maps.Keys(b.copyrights)) {
		if text := b.copyrights[name]; names[text][0] == name {
			fmt.Fprintf(&out, "==== %s ====\n\n%s\n", strings.Join(names[text], ", "), strings.TrimRight(text, "\n"))
		}
	}
	return []byte(out.String())
}
