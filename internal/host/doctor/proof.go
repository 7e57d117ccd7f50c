package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// keys examines the keyring: each file that does not count, because a deployment reads them
// all, and keys by which nothing is proven any more.
func keys(now time.Time, dirs ...string) []Finding {
	const name = "keyring"
	var findings []Finding
	n := 0
	for _, f := range keyring.Examine(dirs...) {
		if f.Err != nil {
			findings = append(findings, unfit(name, &report.Failure{Kind: report.Node, What: "reading the keyring", On: f.Path, Cause: f.Err, Remedy: keyring.Remedy(f.Err)}))
		}
		for _, k := range f.Keys {
			n++
			if why := spent(k, now); why != "" {
				findings = append(findings, Finding{
					Subject: name, Grade: Lacking,
					Text: fmt.Sprintf("%s: %s %s %s: what it signed is refused; get the vendor's present key", f.Path, k.Fingerprint, report.Printable(k.Owner), why),
				})
			}
		}
	}
	if len(findings) == 0 {
		findings = []Finding{{Subject: name, Grade: Good, Text: fmt.Sprintf("%d keys in %s", n, strings.Join(dirs, " and "))}}
	}
	return findings
}

// spent says why nothing is proven by a key any more; empty where it still is.
func spent(k keyring.Key, now time.Time) string {
	switch {
	case k.Revoked:
		return "was revoked"
	case !k.Expires.IsZero() && now.After(k.Expires):
		return "expired on " + k.Expires.UTC().Format(time.DateOnly)
	}
	return ""
}

// entries examines the catalogue. An entry with a mistake leaves the others usable, as long as
// all files can be read and nobody but root can change them.
func entries(arch string, dirs []string) []Finding {
	const name = "catalogue"
	for _, dir := range dirs {
		if err := ownership.Check(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return []Finding{unfit(name, &report.Failure{Kind: report.Node, What: "reading the catalogue", On: dir, Cause: report.Bare(err), Remedy: ownership.Remedy})}
		}
	}
	known, err := catalogue.Load(arch, dirs...)
	if err != nil {
		return []Finding{unfit(name, err)}
	}
	var findings []Finding
	for _, e := range known.All() {
		if err := e.Problems.Err(); err != nil {
			findings = append(findings, Finding{Subject: name, Grade: Lacking, Text: e.Name + " cannot be used: " + strings.ReplaceAll(report.Printable(err.Error()), "\n", "; ")})
		}
	}
	if len(findings) == 0 {
		findings = []Finding{{Subject: name, Grade: Good, Text: fmt.Sprintf("%d entries in %s", len(known.All()), strings.Join(dirs, " and "))}}
	}
	return findings
}
