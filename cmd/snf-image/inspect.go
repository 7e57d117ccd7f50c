package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/host/config"
	"snf-image/internal/host/deploy"
	"snf-image/internal/host/imageref"
	"snf-image/internal/host/parameters"
	"snf-image/internal/report"
)

func (a *app) inspectCommand() *cobra.Command {
	var asJSON bool
	var progress string
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show what is in an image or on a disk",
		Long: `IMAGE is a path, the name of a file in IMAGE_DIR, or an image of the catalogue that was
pulled. Show partition table, file systems, operating system, how its accounts can be
logged in to, suggested properties and the smallest disk an image fits. The helper
looks, not this node; nothing is written.`,
		Example: "  snf-image inspect debian.diskdump\n  snf-image inspect --json debian-13",
		Args:    arguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.inspect(cmd, args[0], progress)
			switch {
			case asJSON && err != nil:
				return a.printJSON(nil, err)
			case asJSON:
				return a.printJSON(in, nil)
			case err != nil:
				return err
			}
			return printInspection(a.stdout, in)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&progress, "progress", "auto", "`kind` of progress that is shown while an image is unpacked: auto, plain or none")
	return cmd
}

// inspect looks at an image. It tells how far the unpacking is on stderr, since the result
// is printed on stdout.
func (a *app) inspect(cmd *cobra.Command, image, progress string) (*report.Inspection, error) {
	if progress == "json" {
		return nil, usage(cmd, errors.New("--progress json: expected auto, plain or none"))
	}
	show, err := a.display(progress)
	if err != nil {
		return nil, usage(cmd, err)
	}
	defer show.end()
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	if image, err = located(cfg, image); err != nil {
		return nil, err
	}
	return deploy.Inspect(cmd.Context(), settings(cfg, show.log), image, deploy.Watch{Sink: show.sink, Progress: show.progress})
}

var errNotCompared = errors.New("a digest in the name is not compared with the image here")

// located returns the path of an image of this node, which deploy knows by the same name.
// What names nothing is returned as it is: whoever opens it says so.
func located(cfg *config.Config, name string) (string, error) {
	ref, err := imageref.Parse(name)
	if _, missing := os.Lstat(name); err != nil || missing == nil || ref.IsPath() || ref.Kind == imageref.URL {
		return name, nil //nolint:nilerr // likewise
	}
	if ref.Digest.Name != "" {
		return "", &report.Failure{Kind: report.Usage, What: "inspecting", On: name, Cause: errNotCompared, Remedy: "leave it out; deploy compares it"}
	}
	if ref.Kind != imageref.Catalogue {
		if at, err := parameters.Images(cfg).Where(name, ""); !errors.Is(err, fs.ErrNotExist) {
			return at, err
		}
	}
	known, err := catalogue.Load(cfg.Arch, cfg.CatalogueDirs...)
	if err != nil {
		return "", err
	}
	e := known.Lookup(ref.Name)
	if e == nil && ref.Kind != imageref.Catalogue {
		return name, nil
	}
	if e, err = known.Find(ref.Name); err != nil {
		return "", err
	}
	held, err := collection.In(cfg.ImageDir).Get(e.Name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && held.Image == "" {
		return "", notPulled("inspecting", e.Name)
	}
	if err != nil {
		return "", err
	}
	return held.Image, nil
}

// printInspection writes in for people. Its texts were cleaned by deploy.
func printInspection(out io.Writer, in *report.Inspection) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	if in.Format != "" {
		line("Format", "%s", report.Stored(in.Format, in.Layers))
	}
	line("Disk", "%s, %s", report.Bytes(in.DiskBytes), table(in))
	for _, p := range in.Partitions {
		line(fmt.Sprintf("Partition %d", p.Number), "%s at %s, type %s, %s", report.Bytes(p.Size), report.Bytes(p.Start), p.Type, contents(p.Contents))
	}
	for _, v := range in.Volumes {
		line(fmt.Sprintf("Volume %s/%s", v.Group, v.Name), "%s in partition %d, %s", report.Bytes(v.Size), v.Partition, contents(v.Contents))
	}
	line("System", "%s", orNone(strings.TrimSpace(in.Pretty)))
	if in.Hostname != "" {
		line("Host name", "%s", in.Hostname)
	}
	if w := in.Windows; w != nil {
		line("Windows", "NT %s, %s, %s", orNone(in.Version), orNone(w.Architecture), orNone(w.State))
	} else {
		printLinux(line, in)
	}
	for _, a := range in.Accounts {
		line("Account "+a.Name, "%s", logins(a))
	}
	printPlatform(line, in)
	if in.OSFamily != "" {
		line("Properties", "OSFAMILY=%s ROOT_PARTITION=%d USERS=%q", in.OSFamily, in.RootPartition, strings.Join(in.Users, " "))
	}
	if in.SmallestDisk > 0 {
		line("Smallest disk", "%s (%d bytes)%s", report.Bytes(in.SmallestDisk), in.SmallestDisk, decisive(in))
	}
	if in.LargestDisk > 0 {
		line("Largest disk", "%s; an MBR reaches no farther", report.Bytes(in.LargestDisk))
	}
	for _, text := range in.Warnings {
		line("Warning", "%s", text)
	}
	return w.Flush()
}

// printLinux writes what starts with the system.
func printLinux(line func(name, format string, args ...any), in *report.Inspection) {
	line("Init", "%s", orNone(in.Init))
	if in.CloudInit != "" {
		line("cloud-init", "%s", in.CloudInit)
	}
	if in.NetworkReason == "" {
		line("Network", "%s", orNone(in.Network))
	} else {
		line("Network", "%s: %s", in.Network, in.NetworkReason)
	}
	line("SSH host keys", "%s", orNone(strings.Join(in.HostKeyTypes, " ")))
}

// contents is what a partition or volume holds, and how large it has to stay.
func contents(c report.Contents) string {
	text := orNone(c.Filesystem)
	if c.Label != "" {
		text += fmt.Sprintf(" %q", c.Label)
	}
	if c.Least > 0 {
		text += ", at least " + report.Bytes(c.Least)
	}
	return text
}

// decisive says which partition the smallest disk ends with.
func decisive(in *report.Inspection) string {
	var last report.Partition
	for _, p := range in.Partitions {
		if p.Start+p.Size > last.Start+last.Size {
			last = p
		}
	}
	if last.Number == 0 {
		return ""
	}
	return fmt.Sprintf(", by the end of partition %d", last.Number)
}

// printPlatform writes what the disk asks of its machine and of the kernel.
func printPlatform(line func(name, format string, args ...any), in *report.Inspection) {
	if in.RootFilesystem != "" {
		line("Root", "%s", in.RootFilesystem)
	}
	features := func(of string, c report.Contents) {
		if len(c.Features) > 0 {
			line("Features", "%s: %s", of, strings.Join(c.Features, " "))
		}
	}
	for _, p := range in.Partitions {
		features(fmt.Sprintf("partition %d", p.Number), p.Contents)
	}
	for _, v := range in.Volumes {
		features("volume "+v.Group+"/"+v.Name, v.Contents)
	}
	line("Boots by", "%s", orNone(strings.Join(append(slices.Clone(in.BootModes), in.EFILoaders...), " ")))
	if in.Processor != "" {
		line("Processor", "%s", in.Processor)
	}
	if in.SELinux != nil {
		line("SELinux", "%s", selinux(in.SELinux))
	}
}

// logins says how somebody can log in to an account.
func logins(a report.Account) string {
	text := "password " + a.Password
	if a.Keys {
		text += ", authorized keys"
	}
	if a.Expired {
		text += ", account expired"
	}
	if a.NoShell != "" {
		text += ", shell " + a.NoShell
	}
	if a.SSHKeys != "" {
		text += "; SSH takes keys: " + a.SSHKeys + "; passwords: " + a.SSHPassword
	}
	return text
}

func selinux(s *report.SELinux) string {
	text := strings.TrimSpace(s.Mode + " " + s.Policy)
	if !s.Labelled {
		text += ", files without labels"
	}
	return text
}

func table(in *report.Inspection) string {
	switch in.Table {
	case "gpt":
		return "GPT " + in.TableID
	case "dos":
		return "MBR " + in.TableID
	}
	return "no partition table"
}

func orNone(s string) string {
	if s == "" {
		return "none found"
	}
	return s
}
