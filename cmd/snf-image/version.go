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
			if a.configFile != "" { // a file that is named must exist, as for every command
				if _, err := a.config(); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(a.stdout, "snf-image %s (commit %s, %s, helper protocol %d)\n",
				version, commit, runtime.Version(), channel.Version)
			return err
		},
	}
}
