package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/config"
	"snf-image/internal/host/deploy"
	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/ganeti"
	"snf-image/internal/host/parameters"
	"snf-image/internal/host/problem"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// export writes a plain dump of a disk to standard output. It reads no
// configuration: an invalid one must not prevent a backup.
func (s *osScript) export(ctx context.Context) error {
	call, problems := ganeti.Read(s.name, s.env)
	d, err := s.dump(call, problems, s.stdout)
	if err != nil {
		return err
	}
	s.log.Info(fmt.Sprintf("exporting disk %d of %s", call.Transfer.Index, call.Instance))
	return deploy.Export(ctx, d, func(bytes int64) {
		if err := tellSize(call.Transfer.SizeFD, bytes); err != nil {
			s.log.Warn("telling the size of the dump: " + err.Error())
		}
	})
}

// importDump writes the plain dump on standard input to a disk.
func (s *osScript) importDump(ctx context.Context) error {
	call, problems := ganeti.Read(s.name, s.env)
	cfg, more := config.LoadVariant(call.Variant, filepath.Join(s.dir, "variants.list"), config.DefaultFiles()...)
	d, err := s.dump(call, slices.Concat(problems, more), s.stdin)
	if err != nil {
		return err
	}
	d.Wipe = cfg.Wipe
	s.log.Info(fmt.Sprintf("importing disk %d of %s", call.Transfer.Index, call.Instance))
	return deploy.Import(ctx, d)
}

// dump checks a call of export or import, whose dump is at the stream.
func (s *osScript) dump(call *ganeti.Call, problems problem.List, stream any) (deploy.Dump, error) {
	for _, w := range problems.Warnings() {
		s.log.Warn(w.Error())
	}
	if err := problem.Refuse(s.log, "checking what Ganeti passed", problems); err != nil {
		return deploy.Dump{}, err
	}
	s.log = newScriptLogger(s.stderr, call.Debug)
	disk := parameters.ByURI([]spec.Disk{{Path: call.Transfer.Device, URI: call.Transfer.URI}})[0]
	if disk.Path == "" {
		if err := diskuri.Check(disk.URI); err != nil {
			return deploy.Dump{}, &report.Failure{
				Kind: report.Usage, What: "checking what Ganeti passed", On: strings.ToUpper(string(s.name)) + "_DISK_URI", Cause: err,
			}
		}
	}
	f, ok := stream.(*os.File)
	if !ok {
		return deploy.Dump{}, &report.Failure{Kind: report.Internal, What: "finding the stream of the dump", Cause: errors.New("it is not a descriptor")}
	}
	return deploy.Dump{Disk: disk, Stream: f, Log: s.log}, nil
}

// tellSize writes the size of the dump to the descriptor fd, if there is one, and
// closes it: only a progress display uses it.
func tellSize(fd int, bytes int64) error {
	if fd < 0 {
		return nil
	}
	// Descriptors that this program opened, such as the disk's, are closed on exec;
	// those that Ganeti handed over are not.
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || fd <= 2 || flags&unix.FD_CLOEXEC != 0 {
		return fmt.Errorf("EXP_SIZE_FD is %d, and no such descriptor was handed over", fd)
	}
	f := os.NewFile(uintptr(fd), "EXP_SIZE_FD")
	_, err = fmt.Fprintf(f, "%d\n", bytes)
	return errors.Join(err, f.Close())
}
