package parameters

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Bounds of the files flags name, in bytes.
const (
	maxSecretFile = 1 << 20
	maxJSONFile   = 32 << 20
	maxInjected   = 8 << 20 // all of them together must fit channel.MaxDown as base64
)

// given reads what the flags name.
func (r *Reader) given(ctx context.Context, p *Flags) (*builder.Parameters, error) {
	params := new(builder.Parameters)
	if p.Params != "" {
		text, err := r.readFile(ctx, "--params", p.Params, maxJSONFile)
		if err != nil {
			return nil, err
		}
		params.AddJSON(text, problem.Origin(p.Params))
	}
	for _, v := range []struct{ flag, name, text string }{
		{"--image", spec.ImgID, p.Image},
		{"--format", spec.ImgFormat, p.Format},
		{"--config-url", spec.ConfigURL, p.ConfigURL},
		{"--answer-file", spec.OSAnswerFile, p.AnswerFile},
	} {
		if v.text != "" {
			params.Set(v.name, v.text, problem.Origin(v.flag))
		}
	}
	if err := r.collectFiles(ctx, p, params); err != nil {
		return nil, err
	}
	for _, text := range p.Properties {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, flagFailure("--property", fmt.Errorf("%q is not NAME=VALUE", text))
		}
		params.SetProperty(name, value, "--property")
	}
	return params, r.collectInjected(ctx, p, params)
}

// collectFiles sets the parameters whose values stand in files.
func (r *Reader) collectFiles(ctx context.Context, p *Flags, params *builder.Parameters) error {
	line := func(b []byte) string {
		first, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(first, "\r")
	}
	whole := func(b []byte) string { return string(b) }
	for _, v := range []struct {
		flag, name, path string
		limit            int64
		text             func([]byte) string
	}{
		{"--password-file", spec.ImgPasswd, p.PasswordFile, maxSecretFile, line},
		{"--password-hash-file", spec.ImgPasswdHash, p.HashFile, maxSecretFile, line},
		{"--personality", spec.ImgPersonality, p.Personality, maxJSONFile, whole},
		{"--product-key-file", spec.OSProductKey, p.ProductKeyFile, maxSecretFile, line},
		{"--user-data", spec.CloudUserdata, p.UserDataFile, maxJSONFile, base64Of},
	} {
		if v.path == "" {
			continue
		}
		b, err := r.readFile(ctx, v.flag, v.path, v.limit)
		if err != nil {
			return err
		}
		params.Set(v.name, v.text(b), problem.Origin(v.flag+" "+v.path))
	}
	return r.collectKeys(ctx, p, params)
}

// collectKeys reads the files of --authorized-keys, which are one list.
func (r *Reader) collectKeys(ctx context.Context, p *Flags, params *builder.Parameters) error {
	var keys strings.Builder
	for _, path := range p.KeysFiles {
		b, err := r.readFile(ctx, "--authorized-keys", path, maxSecretFile)
		if err != nil {
			return err
		}
		keys.WriteString(string(b) + "\n")
	}
	if len(p.KeysFiles) > 0 {
		params.Set(spec.AuthKeys, keys.String(), problem.Origin("--authorized-keys "+strings.Join(p.KeysFiles, " ")))
	}
	return nil
}

// collectInjected reads the files of --file.
func (r *Reader) collectInjected(ctx context.Context, p *Flags, params *builder.Parameters) error {
	for _, text := range p.Files {
		f, err := values.ParseFileFlag(text)
		if err != nil {
			return flagFailure("--file", err)
		}
		b, err := r.readFile(ctx, "--file", f.Source, maxInjected)
		if err != nil {
			return err
		}
		f.File.Contents = b
		params.AddFile(f.File, problem.Origin("--file "+f.Source))
	}
	return nil
}

// readFile reads a file a flag names; "-" is standard input. It returns when ctx
// ends, too: a FIFO or a terminal may never say anything.
func (r *Reader) readFile(ctx context.Context, flag, path string, limit int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := r.readAll(path, limit)
		done <- result{b, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return nil, flagFailure(flag+" "+path, report.Bare(got.err))
		}
		return got.b, nil
	case <-ctx.Done():
		return nil, flagFailure(flag+" "+path, context.Cause(ctx))
	}
}

// readAll reads the file path to its end, which is limit bytes away at most.
func (r *Reader) readAll(path string, limit int64) ([]byte, error) {
	from := r.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return b, err
}

func flagFailure(flag string, err error) error {
	return &report.Failure{Kind: report.Usage, What: "reading the command line", On: flag, Cause: err}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
