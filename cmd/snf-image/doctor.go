package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"snf-image/internal/host/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine whether this node is fit to deploy",
		Long: `Examine whether this node is fit to deploy: privilege, QEMU, memory, space,
who may change its directories, the keyring, the catalogue, the helper image,
whether the helper really boots, with KVM or without, and what confines it.`,
		Example: "  snf-image doctor",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil && asJSON {
				return a.printJSON(nil, err)
			}
			if err != nil {
				return err
			}
			findings, failure := doctor.Examine(cmd.Context(), settings(cfg, a.log))
			if asJSON {
				return a.printJSON(findings, failure)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			for _, f := range findings {
				fmt.Fprintf(w, "%s\t%s\t%s\n", f.Grade, f.Subject, f.Text)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return failure
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
