package main

import (
	"context"

	"snf-image/internal/host/deploy"
	"snf-image/internal/report"
)

// rename gives the installed system its new name and changes nothing else: the
// network identity is Ganeti's to change.
func (s *osScript) rename(ctx context.Context) error {
	call, err := s.read(ctx)
	if err != nil {
		s.sink.Send(report.Error("the parameters are invalid"))
		return err
	}
	s.log.Info("renaming " + call.OldName + " to " + call.Instance)
	_, err = deploy.Run(ctx, s.request(call))
	return err
}
