package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// group makes a command that consists of others: alone it says which.
func group(cmd *cobra.Command, parts ...*cobra.Command) *cobra.Command {
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.Name())
	}
	what := names[0]
	if len(names) > 1 {
		what = "one of " + strings.Join(names, ", ")
	}
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return usage(cmd, errors.New("name "+what)) }
	cmd.AddCommand(parts...)
	return cmd
}

// answer prints what a command found, as JSON or as print does. A failure comes alone.
func (a *app) answer(asJSON bool, found any, err error, print func() error) error {
	switch {
	case asJSON && err != nil:
		return a.printJSON(nil, err)
	case asJSON:
		return a.printJSON(found, nil)
	case err != nil:
		return err
	}
	return print()
}

// addJSON declares --json.
func addJSON(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}
