package task

import (
	"context"
	"errors"
	"strings"

	"snf-image/internal/command"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/sandbox"
	"snf-image/internal/redact"
)

// runProgram runs a program that came with the deployment or the image in the sandbox,
// with the image below SNF_IMAGE_TARGET. What it prints may hold secrets: it goes to the
// log alone, and only where IMAGE_DEBUG asks for it, redacted.
func runProgram(ctx context.Context, r *Run, c command.Cmd) error {
	env, dropped := environment(r)
	if len(dropped) > 0 {
		r.Warn("too long for the environment of %s: %s", c.Args[0], strings.Join(dropped, ", "))
	}
	c.Env, c.Log = env, r.Log
	r.labels.programRuns()
	printed, err := sandbox.Execute(ctx, r.Target, c)
	if r.Plan.Debug && printed != "" {
		r.Log.Debug("output", "program", c.Args[0], "text", withoutSecrets(r, printed))
	}
	return programError(r, err)
}

// programError adds to the error of a program where to find what it printed.
func programError(r *Run, err error) error {
	if _, exited := errors.AsType[*command.ExitError](err); !exited {
		return err
	}
	remedy := "what it printed may hold secrets and is not shown; set IMAGE_DEBUG=yes to have it in the log, redacted"
	if r.Plan.Debug {
		remedy = "see what it printed, in the log above"
	}
	return outcome.Advise(err, remedy)
}

// withoutSecrets takes the secrets of the deployment out of text.
func withoutSecrets(r *Run, text string) string {
	if r.Credentials == nil {
		return text
	}
	var secrets redact.Redactor
	secrets.AddCredentials(*r.Credentials)
	return secrets.Redact(text)
}
