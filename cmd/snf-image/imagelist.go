package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/host/config"
	"snf-image/internal/host/keyring"
	"snf-image/internal/report"
)

// shelf is what the commands about images of the catalogue work on.
type shelf struct {
	*config.Config
	known *catalogue.Catalogue
	here  collection.Collection
	keys  keyring.Keys
}

func (a *app) shelf() (*shelf, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(cfg)
	if err != nil {
		return nil, err
	}
	known, err := catalogue.Load(cfg.Arch, cfg.CatalogueDirs...)
	if err != nil {
		return nil, err
	}
	return &shelf{cfg, known, collection.In(cfg.ImageDir), keys}, nil
}

// listed is an image of the catalogue as --json prints it.
type listed struct {
	Name        string            `json:"name"`
	Aliases     []string          `json:"aliases,omitempty"`
	Description string            `json:"description,omitempty"`
	File        string            `json:"entry"`
	URL         string            `json:"url,omitempty"`
	Format      string            `json:"format,omitempty"`
	Properties  map[string]string `json:"properties,omitempty"`
	EndOfLife   string            `json:"end_of_life,omitempty"`
	Ended       bool              `json:"ended,omitempty"`
	Sums        string            `json:"sums,omitempty"`
	Signature   string            `json:"signature,omitempty"`
	Keys        []string          `json:"keys,omitempty"`
	// Proof is what can prove it on this node: signature, digest, checksums, or none.
	Proof string `json:"proof"`
	// State is pulled, pinned (only the pin is here), absent, or broken.
	State   string          `json:"state"`
	Pin     *collection.Pin `json:"pin,omitempty"`
	Image   string          `json:"image,omitempty"` // its file
	Problem string          `json:"problem,omitempty"`
	Note    string          `json:"note,omitempty"`
}

// describe says what is known about an entry.
func (s *shelf) describe(e *catalogue.Entry) listed {
	l := listed{
		Name: e.Name, Aliases: e.Aliases, Description: report.Printable(e.Description), File: e.File, URL: e.URL, Format: string(e.Format),
		Properties: e.Properties, Keys: e.Keys, Ended: e.Ended(time.Now()), State: "absent", Proof: "none",
	}
	if e.Sums != "" {
		l.Sums, l.Proof = catalogue.Beside(e.URL, e.Sums), "checksums"
	}
	if e.Digest.Algorithm != "" {
		l.Proof = "digest"
	}
	if name := e.Signature + e.ImageSignature; name != "" {
		l.Signature = catalogue.Beside(e.URL, name)
	}
	claim, note := collection.Claim(e, s.keys, collection.Demand{Demand: s.VerifyImages}, "")
	if l.Note = note; len(claim.Keys) > 0 {
		l.Proof = "signature"
	}
	if !e.EndOfLife.IsZero() {
		l.EndOfLife = e.EndOfLife.Format(time.DateOnly)
	}
	held, err := s.here.Get(e.Name)
	if err == nil && held.Doubt(e) != "" {
		l.Note = strings.TrimPrefix(l.Note+"; VERIFY_IMAGES=required refuses it: "+held.Doubt(e), "; ")
	}
	switch {
	case err == nil && held.Image != "":
		l.State, l.Pin, l.Image = "pulled", &held.Pin, held.Image
	case err == nil:
		l.State, l.Pin = "pinned", &held.Pin
	case !errors.Is(err, fs.ErrNotExist):
		l.State, l.Problem = "broken", inLine(err)
	}
	if err := e.Problems.Err(); err != nil {
		l.State, l.Problem = "broken", inLine(err)
	}
	return l
}

// inLine is an error, which may be of several lines, in one.
func inLine(err error) string {
	return report.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func (a *app) imageList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the images of the catalogue",
		Long: `Show the images of the catalogue: which of them are here, and what can prove them on
this node. An image is pulled when it lies in IMAGE_DIR, and pinned when only its pin does.`,
		Example: "  snf-image image list",
		Args:    noArguments,
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		list := []listed{}
		s, err := a.shelf()
		if err == nil {
			for _, e := range s.known.All() {
				list = append(list, s.describe(e))
			}
		}
		if err == nil && len(list) == 0 {
			fmt.Fprintf(a.stderr, "snf-image: warning: the catalogue has no entries: none lie in %s; set CATALOGUE_DIRS\n",
				strings.Join(s.CatalogueDirs, " or "))
		}
		return a.answer(*asJSON, list, err, func() error { return a.printList(list) })
	}
	return cmd
}

func (a *app) printList(list []listed) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	for _, l := range list {
		what := l.Description
		switch {
		case l.Problem != "":
			what = l.Problem
		case l.Ended:
			what += ", support ended on " + l.EndOfLife
		}
		when := ""
		if l.Pin != nil {
			when = l.Pin.Pulled.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, l.State, when, l.Proof, what)
	}
	return w.Flush()
}

func (a *app) imageShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show what is known about an image of the catalogue",
		Example: "  snf-image image show debian-13",
		Args:    arguments(1),
	}
	asJSON := addJSON(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var l listed
		s, err := a.shelf()
		if err == nil {
			e := s.known.Lookup(args[0])
			if e == nil {
				_, err = s.known.Find(args[0])
			} else {
				l = s.describe(e)
			}
		}
		return a.answer(*asJSON, l, err, func() error { return a.printImage(l) })
	}
	return cmd
}

func (a *app) printImage(l listed) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	row("name", l.Name)
	row("other names", strings.Join(l.Aliases, " "))
	row("description", l.Description)
	row("support ends", l.EndOfLife)
	row("entry", l.File)
	row("url", l.URL)
	row("format", l.Format)
	row("checksums", l.Sums)
	row("signature", l.Signature)
	row("keys", strings.Join(l.Keys, " "))
	row("proof", l.Proof)
	row("note", l.Note)
	for _, name := range slices.Sorted(maps.Keys(l.Properties)) {
		row(name, report.Printable(l.Properties[name]))
	}
	row("state", l.State)
	row("problem", l.Problem)
	row("file", l.Image)
	if p := l.Pin; p != nil {
		row("pinned", p.Pulled.Format(time.RFC3339))
		row("from", p.URL)
		row("size", report.Bytes(p.Size))
		row("digest", p.Digest)
		row("proved by", provedBy(p))
	}
	return w.Flush()
}

// provedBy says what proved a pinned image.
func provedBy(p *collection.Pin) string {
	switch {
	case p.Key != "":
		text := fmt.Sprintf("%s of %s (%s)", p.Proof, p.Key, report.Printable(p.Owner))
		if !p.Signed.IsZero() {
			text += ", signed on " + p.Signed.Format(time.RFC3339)
		}
		return text
	case p.By != "":
		return "the digest of " + p.By
	case p.Proof == "":
		return "nothing"
	}
	return string(p.Proof) + " that nobody signed"
}
