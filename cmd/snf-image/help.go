package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help texts are.
const helpWidth = 100

// flagGroup is a part of a long table of flags.
type flagGroup struct {
	title string
	flags []string
}

// flagGroups are the flags of deploy and customize in the order help shows them. Flags
// that are in none of the groups follow them.
var flagGroups = []flagGroup{
	{"Image and disk", []string{"image", "format", "verify", "digest", "key", "disk", "disk-format", "size", "grow"}},
	{"Identity", []string{"name", "new-identity", "all"}},
	{"Credentials", []string{"password-file", "password-hash-file", "authorized-keys", "product-key-file"}},
	{"Network", []string{"nic"}},
	{"Files", []string{"file", "personality", "user-data", "answer-file"}},
	{"Parameters", []string{"property", "params", "config-url"}},
	{"Output", []string{"report", "progress", "dry-run"}},
}

// groupedUsage prints the help of a command with many flags in groups.
func groupedUsage(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	fmt.Fprintf(out, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	local, rest := cmd.LocalFlags(), pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, g := range flagGroups {
		group := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		for _, name := range g.flags {
			if f := local.Lookup(name); f != nil {
				group.AddFlag(f)
			}
		}
		printFlags(out, g.title, group)
	}
	local.VisitAll(func(f *pflag.Flag) {
		if !slices.ContainsFunc(flagGroups, func(g flagGroup) bool { return slices.Contains(g.flags, f.Name) }) {
			rest.AddFlag(f)
		}
	})
	printFlags(out, "Other", rest)
	printFlags(out, "Of every command", cmd.InheritedFlags())
	return nil
}

// printFlags prints a group of flags in its order, if there are any.
func printFlags(out io.Writer, title string, flags *pflag.FlagSet) {
	flags.SortFlags = false
	if text := flags.FlagUsagesWrapped(helpWidth); strings.TrimSpace(text) != "" {
		fmt.Fprintf(out, "\n%s:\n%s", title, text)
	}
}
