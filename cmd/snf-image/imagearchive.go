package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/report"
)

func (a *app) imageExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export NAME FILE",
		Short: "Write an image of the catalogue that is here, and its proof, to an archive",
		Long: `Write an image of the catalogue that is here, with its pin, what proves it and the key
that signed it, to a tar archive for "image import" on other nodes; - is standard output.`,
		Example: "  snf-image image export rocky-10 rocky-10.tar",
		Args:    arguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.shelf()
			if err != nil {
				return err
			}
			e, err := s.known.Find(args[0])
			if err != nil {
				return err
			}
			err = a.writeArchive(args[1], func(w io.Writer) error {
				return s.here.Export(cmd.Context(), e.Name, s.signerOf(e.Name), w)
			})
			if _, known := errors.AsType[*report.Failure](err); err == nil || known {
				return err
			}
			f := &report.Failure{Kind: report.Image, What: "exporting the image", On: e.Name, Cause: err, Remedy: "name another file, or - for standard output"}
			if errors.Is(err, collection.ErrNoImage) || errors.Is(err, os.ErrNotExist) {
				f.Remedy = "pull it first"
			}
			return f
		},
	}
}

// signerOf returns the file with the key that signed an image, empty where there is none.
func (s *shelf) signerOf(name string) string {
	held, err := s.here.Get(name)
	if err != nil || held.Key == "" {
		return ""
	}
	for _, k := range s.keys.All() {
		if k.Fingerprint == held.Key {
			return k.File
		}
	}
	return ""
}

// writeArchive writes a file as a whole, or not at all.
func (a *app) writeArchive(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(a.stdout)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // it would be replaced
		return errors.New("it is there, and is not a regular file")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".export-")
	if err != nil {
		return report.Bare(err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	err = errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return report.Bare(err)
}

func (a *app) imageImport() *cobra.Command {
	p := new(pulling)
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Verify and take the image in an archive of image export",
		Long: `Verify the image in an archive that "image export" wrote, by the entry and the keys of
this node, and put it into IMAGE_DIR as "image pull" does; - is standard input.`,
		Example: "  snf-image image import rocky-10.tar",
		Args:    arguments(1),
	}
	p.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		out, err := a.importImage(cmd.Context(), p, args[0])
		a.warn(out)
		return a.answer(*p.asJSON, out, err, func() error { return a.printOutcome(out) })
	}
	return cmd
}

func (a *app) importImage(ctx context.Context, p *pulling, path string) (*collection.Outcome, error) {
	s, err := a.shelf()
	if err != nil {
		return nil, err
	}
	o, err := a.order(s, p)
	if err != nil {
		return nil, err
	}
	from := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, &report.Failure{Kind: report.Image, What: "opening the archive", On: path, Cause: report.Bare(err), Remedy: "check the path"}
		}
		defer f.Close() //nolint:errcheck // only read
		from = f
	}
	out, err := s.here.Import(ctx, from, func(name string) (*catalogue.Entry, error) { return s.known.Find(name) }, o)
	if f, ok := errors.AsType[*report.Failure](err); ok && f.On == "" {
		f.On = path
	}
	return out, err
}
