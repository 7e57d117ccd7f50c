package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snf-image/internal/host/parameters"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/trust"
)

// parameterFlags are the flags deploy and customize share (docs/reference.md,
// OS parameters).
type parameterFlags struct {
	parameters.Flags
	reportFile, progress string
	password             bool // given as a flag, which is refused
}

// add declares the flags on cmd.
func (p *parameterFlags) add(cmd *cobra.Command) {
	cmd.SetUsageFunc(groupedUsage)
	f := cmd.Flags()
	f.SetNormalizeFunc(alias)
	f.StringVar(&p.Name, "name", "", "instance `name`, written as the host name (also --hostname)")
	f.StringArrayVar(&p.Disks, "disk", nil, "block device or disk file at `path`, or the URI of a disk QEMU reaches, such as rbd:pool/disk (repeatable; the first one holds the system)")
	f.StringVar(&p.Size, "size", "", "create the first disk's file with, or extend it to, this `size` (10G)")
	f.StringVar(&p.DiskFormat, "disk-format", "", "`format` of the disk files, raw or qcow2; given, raw also takes one that begins with the header of another format")
	f.StringArrayVar(&p.NICs, "nic", nil, "network `interface`: ip=192.0.2.5/24,gateway=…,ip6=…,gateway6=…, dhcp, mac=…, dns=…, search=…, mtu=…, "+
		"subnet=…, subnet6=…, network=…, mode=…, link=…, tags=a b (repeatable), or none")
	f.StringVar(&p.PasswordFile, "password-file", "", "`file` with the password on its first line (- is standard input)")
	f.StringVar(&p.HashFile, "password-hash-file", "", "`file` with the crypt(3) hash of the password")
	f.Var(refusedFlag{&p.password}, "password", "")
	_ = f.MarkHidden("password") // never fails for a flag that was just made
	f.StringArrayVar(&p.KeysFiles, "authorized-keys", nil, "`file` with OpenSSH authorized_keys lines (also --ssh-key; repeatable)")
	f.StringArrayVar(&p.Properties, "property", nil, "image property `NAME=VALUE` (repeatable)")
	f.StringArrayVar(&p.Files, "file", nil, "inject a `file`: SRC:DEST[:MODE[:OWNER[:GROUP]]], MODE in octal (repeatable)")
	f.StringVar(&p.Personality, "personality", "", "JSON `file` with files to inject")
	f.StringVar(&p.Params, "params", "", "JSON `file` with any of the OS parameters; flags win over it")
	f.StringVar(&p.ConfigURL, "config-url", "", "`URL` of a JSON object with OS parameters, fetched once; --params and flags win over it")
	f.StringVar(&p.ProductKeyFile, "product-key-file", "", "`file` with the Windows product key")
	f.StringVar(&p.AnswerFile, "answer-file", "", "`URL` or path of a Windows answer file")
	f.StringVar(&p.UserDataFile, "user-data", "", "`file` with cloud-init user-data")
	f.StringVar(&p.reportFile, "report", "", "write a report of the deployment to `file` (JSON)")
	f.StringVar(&p.progress, "progress", "auto", "`kind` of progress that is shown: auto, plain, json or none")
	f.BoolVar(&p.DryRun, "dry-run", false, "print what would be done and touch nothing")
}

// addProof declares the flags about what has to prove the image.
func (p *parameterFlags) addProof(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Func("verify", "`proof` that is demanded of the image, instead of VERIFY_IMAGES: none, if-present or required", func(text string) (err error) {
		p.Proof.Verify, err = trust.ParseDemand(text)
		return err
	})
	f.Func("digest", "`digest` the image must have as it is stored, sha256:HEX or sha512:HEX, instead of IMG_DIGEST", func(text string) error {
		d, err := trust.ParseDigest(text)
		p.Proof.Digest = &d
		return err
	})
	f.StringArrayVar(&p.Proof.Keys, "key", nil, "`fingerprint` of a key that must have made the signature beside the image, instead of IMG_KEY (repeatable, one is enough)")
}

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
	if words := cmd.Flags().Args(); !cmd.HasParent() && len(words) > 0 {
		return unknownCommand(cmd, words[0]) // whose flags they would be
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
	if near := problem.Nearest(unknown, known); near != "" {
		return usageAdvice(err, "did you mean --"+near+"?")
	}
	return usage(cmd, err)
}
