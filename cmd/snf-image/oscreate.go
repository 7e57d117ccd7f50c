package main

import (
	"context"
	"fmt"
	"time"

	"snf-image/internal/host/deploy"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/reportfile"
	"snf-image/internal/host/values"
	"snf-image/internal/report"
)

// create fills the first disk from the image and makes it the instance. A
// reinstallation is the same: nothing of the old content is kept or read.
func (s *osScript) create(ctx context.Context) error {
	defer s.unwatch()
	rep, err := s.created(ctx)
	s.archive(rep, err)
	if err != nil {
		s.goOn()
	}
	return err
}

// goOn logs how to go on with an instance that could not be filled, for readers who see
// only the end of the log.
func (s *osScript) goOn() {
	name := s.env["INSTANCE_NAME"]
	if values.CheckHostname(name) != nil {
		return
	}
	s.log.Warn(fmt.Sprintf("%[1]s is stopped. When the cause, in the last line, is removed, go on with \"gnt-instance reinstall %[1]s\" and "+
		"\"gnt-instance startup %[1]s\"; to give it up: \"gnt-instance remove %[1]s\"", name))
}

// created returns the report of what was done, nil when nothing was begun.
func (s *osScript) created(ctx context.Context) (*report.Deployment, error) {
	call, err := s.read(ctx)
	if err != nil {
		s.sink.Send(report.Error("the parameters are invalid"))
		return nil, err
	}
	what := "creating "
	if call.Reinstall {
		what = "reinstalling "
	}
	s.log.Info(what + call.Instance + " from " + fetch.Mask(call.spec.Image))
	return deploy.Run(ctx, s.request(call))
}

// archive keeps the report in REPORT_DIR. A failure to do so is a warning.
func (s *osScript) archive(rep *report.Deployment, err error) {
	if s.reports == "" {
		return
	}
	name := s.env["INSTANCE_NAME"]
	if rep == nil {
		rep = &report.Deployment{Version: version, Mode: string(s.name), Name: report.Clean(name), Started: time.Now().UTC()}
		rep.Fail(err)
	}
	if rep.Failure != nil {
		rep.Failure.Exit = exitCode(err)
	}
	if err := reportfile.Archive(s.reports, name, rep); err != nil {
		s.log.Warn("REPORT_DIR: " + err.Error())
	}
}
