package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"snf-image/internal/host/collection"
	"snf-image/internal/host/parameters"
	"snf-image/internal/host/trust"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
)

// pulling are the flags of pull and import.
type pulling struct {
	update, allowOlder bool
	digest             string
	asJSON             *bool
}

func (p *pulling) add(cmd *cobra.Command) {
	p.asJSON = addJSON(cmd)
	cmd.Flags().BoolVar(&p.allowOlder, "allow-older", false, "take an image that was signed before the pinned one, or is not signed where that is")
	cmd.Flags().StringVar(&p.digest, "digest", "", "`digest` that the image must have, sha256:HEX or sha512:HEX")
}

// order is what the flags and the configuration say about how an image is pulled.
func (a *app) order(s *shelf, p *pulling) (collection.Order, error) {
	client, err := parameters.NewClient(s.Config, "snf-image/"+version)
	if err != nil {
		return collection.Order{}, err
	}
	digest, err := trust.ParseDigest(p.digest)
	if err != nil {
		return collection.Order{}, usageAdvice(fmt.Errorf("--digest: %w", err), "copy it from the vendor's page")
	}
	digest.By = "--digest"
	return collection.Order{
		Keys: s.keys, Demand: collection.Demand{Demand: s.VerifyImages, By: s.Where("VERIFY_IMAGES")},
		Digest: digest, Update: p.update, AllowOlder: p.allowOlder, Mirror: s.CatalogueMirror, Client: client,
		Note:     func(text string) { a.log.Info(text) },
		Progress: func(int64, int64) {},
	}, nil
}

func (a *app) imagePull() *cobra.Command {
	p := new(pulling)
	cmd := &cobra.Command{
		Use:   "pull [--update] NAME...",
		Short: "Fetch, verify and pin images of the catalogue",
		Long: `Fetch images of the catalogue from their vendors, or from CATALOGUE_MIRROR, verify them
and put them into IMAGE_DIR with a pin: what they were, and what proved it. From then on
these very images are deployed. An image that is here stays as it is without --update;
--update without a name looks after all that are here.`,
		Example: "  snf-image image pull debian-13 rocky-10\n  snf-image image pull --update",
	}
	p.add(cmd)
	cmd.Flags().BoolVar(&p.update, "update", false, "look for newer images than those that are here")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		done := []*collection.Outcome{}
		err := a.pull(cmd, p, args, func(o *collection.Outcome) error {
			done = append(done, o)
			if *p.asJSON {
				return nil
			}
			return a.printOutcome(o)
		})
		return a.answer(*p.asJSON, done, err, func() error { return nil })
	}
	return cmd
}

// pull pulls one image after the other. The first that fails ends it.
func (a *app) pull(cmd *cobra.Command, p *pulling, names []string, tell func(*collection.Outcome) error) error {
	s, err := a.shelf()
	if err != nil {
		return err
	}
	if len(names) == 0 && p.update {
		if names, err = s.here.Names(); err != nil {
			return err
		}
	} else if len(names) == 0 {
		return usage(cmd, errors.New("name an image of the catalogue"))
	}
	if p.digest != "" && len(names) > 1 {
		return usage(cmd, errors.New("--digest is of one image"))
	}
	o, err := a.order(s, p)
	if err != nil {
		return err
	}
	for _, name := range names {
		if o.Entry, err = s.known.Find(name); err != nil {
			return err
		}
		out, err := a.pullOne(cmd.Context(), s, o)
		if err == nil {
			err = tell(out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pullOne pulls one image and shows how far it is.
func (a *app) pullOne(ctx context.Context, s *shelf, o collection.Order) (*collection.Outcome, error) {
	show, err := a.display("auto")
	if err != nil {
		return nil, err
	}
	defer show.end()
	if show.progress != nil {
		o.Progress = func(done, total int64) { show.progress(worker.Progress{Position: done, Total: max(total, 0)}) }
	}
	out, err := s.here.Pull(ctx, o)
	a.warn(out)
	return out, err
}

func (a *app) warn(o *collection.Outcome) {
	if o == nil {
		return
	}
	for _, w := range o.Warning {
		a.log.Warn(report.Printable(w))
	}
}

// printOutcome says what is here now, and what changed.
func (a *app) printOutcome(o *collection.Outcome) error {
	switch {
	case !o.Changed && o.Old == nil:
		fmt.Fprintf(a.stdout, "%s is here since %s; --update looks for a newer one\n", o.Name, day(o.Pulled))
	case !o.Changed:
		fmt.Fprintf(a.stdout, "%s has not changed since %s\n", o.Name, day(o.Pulled))
	case o.Old == nil || o.Old.Digest == o.Digest:
		fmt.Fprintf(a.stdout, "%s: %s, %s, proved by %s\n  %s\n  from %s\n", o.Name, o.File, report.Bytes(o.Size), provedBy(&o.Pin), o.Digest, o.URL)
	default:
		fmt.Fprintf(a.stdout, "%s changed, proved by %s\n", o.Name, provedBy(&o.Pin))
		for _, row := range [][3]string{
			{"digest", o.Old.Digest, o.Digest},
			{"size", report.Bytes(o.Old.Size), report.Bytes(o.Size)},
			{"from", o.Old.URL, o.URL},
			{"pulled", day(o.Old.Pulled), day(o.Pulled)},
			{"signed", day(o.Old.Signed), day(o.Signed)},
		} {
			if row[1] != row[2] {
				fmt.Fprintf(a.stdout, "  %-6s  %s -> %s\n", row[0], row[1], row[2])
			}
		}
	}
	return nil
}

// day is a time for people; empty for none.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}
