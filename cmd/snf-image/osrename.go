package main

import (
	"context"

	"snf-image/internal/host/deploy"
	"snf-image/internal/report"
)

// rename gives the installed system its new name and changes nothing else: the
// network identity is Ganeti's to change.
func (s *osScript) rename(ctx context.Context) error {
	rep, err := s.renamed(ctx)
	s.archive(rep, err)
	return err
}

// renamed returns the report of what was done, nil when nothing was begun.
func (s *osScript) renamed(ctx context.Context) (*report.Deployment, error) {
	call, err := s.read(ctx)
	if err != nil {
		s.sink.Send(report.Error("the parameters are invalid"))
		return nil, err
	}
	s.log.Info("renaming " + call.OldName + " to " + call.Instance)
	return deploy.Run(ctx, s.request(call))
}
