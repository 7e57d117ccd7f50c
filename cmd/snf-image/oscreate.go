package main

import (
	"context"
	"io/fs"
	"os"
	"slices"

	"snf-image/internal/host/deploy"
	"snf-image/internal/host/fetch"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// create fills the first disk from the image and makes it the instance. A
// reinstallation is the same: nothing of the old content is kept or read.
func (s *osScript) create(ctx context.Context) error {
	defer s.unwatch()
	call, err := s.read(ctx)
	if err != nil {
		s.sink.Send(report.Error("the parameters are invalid"))
		return err
	}
	what := "creating "
	if call.Reinstall {
		what = "reinstalling "
	}
	s.log.Info(what + call.Instance + " from " + fetch.Mask(call.spec.Image))
	_, err = deploy.Run(ctx, s.request(call))
	return err
}

// byURI takes the path from disks that have a URI and whose path leads to no
// disk: the URI is all there is of them.
func byURI(disks []spec.Disk) []spec.Disk {
	disks = slices.Clone(disks)
	for i, d := range disks {
		if d.URI != "" && !isDisk(d.Path) {
			disks[i].Path = ""
		}
	}
	return disks
}

// isDisk says whether path leads to a disk file or a block device.
func isDisk(path string) bool {
	st, err := os.Stat(path)
	return err == nil && (st.Mode().IsRegular() || st.Mode()&fs.ModeType == fs.ModeDevice)
}
