package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"snf-image/internal/channel"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  snf-image version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.stdout, "snf-image %s (commit %s, %s, helper protocol %d)\n",
				version, commit, runtime.Version(), channel.Version)
			return err
		},
	}
}
