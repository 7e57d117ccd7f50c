package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snf-image/internal/host/config"
	"snf-image/internal/spec"
)

// aliases are other names of flags.
var aliases = map[string]string{"hostname": "name", "ssh-key": "authorized-keys"}

// alias returns the name a flag is known by.
func alias(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if known, ok := aliases[name]; ok {
		name = known
	}
	return pflag.NormalizedName(name)
}

// refusedFlag is a flag that is understood only to be refused. It takes a value,
// which a message must not repeat, and forgets it.
type refusedFlag struct{ given *bool }

func (r refusedFlag) String() string { return "" }

// Type names the value in help texts.
func (r refusedFlag) Type() string { return "string" }

// Set notes that the flag was given.
func (r refusedFlag) Set(string) error {
	*r.given = true
	return nil
}

// arguments refuses what is not a flag, and --password before all, so that
// nothing of its value is taken for something else and repeated.
func (p *parameterFlags) arguments(cmd *cobra.Command, args []string) error {
	if p.password {
		return passwordRefused()
	}
	return noArguments(cmd, args)
}

func passwordRefused() error {
	return usageAdvice(errors.New("--password: every account of this node can read a command line"),
		"put the password into a file for --password-file FILE, or pipe it to --password-file -")
}

// flagError is the failure of a command line with a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	if strings.HasSuffix(err.Error(), ": --password") && cmd.Flags().Lookup("password") != nil {
		return passwordRefused()
	}
	unknown, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return usage(cmd, err)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := spec.Nearest(unknown, known); near != "" {
		return usageAdvice(err, "did you mean --"+near+"?")
	}
	return usage(cmd, err)
}

// onlyAsked reports whether only what the parameters ask for is to be done.
func (p *parameterFlags) onlyAsked(mode spec.Mode) bool { return mode == spec.ModeCustomize && !p.all }

// configured returns the parameters of the configuration files. They are there
// for new machines: of a living one they may say where its system is, but set
// nothing on it.
func configured(cfg *config.Config, onlyAsked bool) *spec.Parameters {
	params := new(spec.Parameters)
	for _, c := range cfg.Parameters {
		switch {
		case !onlyAsked:
			params.Set(c.Name, c.Value, c.Origin)
		case slices.Contains([]string{spec.ImgProperties, spec.InstProperties}, c.Name):
			params.SetHint(c.Name, c.Value, c.Origin)
		}
	}
	return params
}
