package deploy

import (
	"context"
	"errors"
	"io"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Shell boots the helper with the disks of sp and connects terminal to a
// shell in it, until the shell ends or ctx does. No task runs.
func Shell(ctx context.Context, set session.Settings, sp *spec.Spec, terminal io.ReadWriter) error {
	ids, err := confine.Identify(set.Config.HelperUser)
	if err != nil {
		return err
	}
	plan := session.NewPlan(sp, set.Config)
	disks, err := openDisks(ctx, set, sp, plan, target.Options{Existing: true, Server: ids.Server})
	defer disks.close()
	if err != nil {
		return err
	}
	s, err := session.Open(set.Quiet(ids.Helper))
	if err != nil {
		return err
	}
	defer s.Close()
	shell, err := session.NewShell()
	if err != nil {
		return err
	}
	defer shell.Close()
	if err := s.Admit(ctx); err != nil {
		return err
	}
	h, err := s.Start(ctx, session.Work{Plan: plan, Disks: disks.vm(plan), Paths: disks.paths(), On: shown(sp), Shell: shell})
	if err != nil {
		return err
	}
	defer h.Stop()
	go func() { _, _ = io.Copy(shell.Conn, terminal) }()
	go func() { _, _ = io.Copy(terminal, shell.Conn) }()
	return awaitShell(ctx, h)
}

// awaitShell waits for the result that follows the end of the shell.
func awaitShell(ctx context.Context, h *session.Helper) error {
	result, err := h.Converse(ctx, 0, new(onlooker))
	if err != nil {
		return h.Explain(err)
	}
	if result.Error != "" {
		return &report.Failure{Kind: report.Helper, What: "running a shell in the helper", Cause: errors.New(report.Clean(result.Error))}
	}
	return nil
}
