package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"snf-image/internal/host/collection"
	"snf-image/internal/host/parameters"
	"snf-image/internal/report"
)

func (a *app) imageRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a pulled image and its pin, or a file of IMAGE_DIR",
		Long: `Remove a pulled image of the catalogue and its pin. Another name has to be exactly that
of a file in IMAGE_DIR.`,
		Example: "  snf-image image rm debian-13",
		Args:    arguments(1),
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		gone, err := a.removeImage(args[0])
		return a.answer(*asJSON, map[string]string{"removed": gone}, err, func() error {
			_, err := fmt.Fprintf(a.stdout, "removed %s\n", gone)
			return err
		})
	}
	return cmd
}

// removeImage returns what it removed.
func (a *app) removeImage(name string) (string, error) {
	s, err := a.shelf()
	if err != nil {
		return "", err
	}
	short := name
	if e := s.known.Lookup(name); e != nil {
		short = e.Name
	}
	at, err := s.here.Remove(short)
	if errors.Is(err, fs.ErrNotExist) {
		at, err = parameters.Images(s.Config).Remove(name)
	}
	if _, known := errors.AsType[*report.Failure](err); err == nil || known {
		return at, err
	}
	f := &report.Failure{Kind: report.Image, What: "removing the image", On: report.Printable(name), Cause: err, Remedy: `see "snf-image image list"`}
	if errors.Is(err, collection.ErrBusy) {
		f.Kind, f.Remedy = report.Busy, "wait until it is done"
	}
	return "", f
}
