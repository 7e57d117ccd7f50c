package deploy

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Dump is a disk that is exported or imported as a plain raw dump, byte for
// byte. No byte of it means anything to the host.
type Dump struct {
	Disk   spec.Disk
	Stream *os.File // where the dump goes, or comes from
	Wipe   target.Wipe
	Log    *slog.Logger
}

// Export writes the disk to the stream. Others may read the disk meanwhile, but
// not write to it. tell is called with the length of the dump before the
// first byte of it.
func Export(ctx context.Context, d Dump, tell func(bytes int64)) error {
	ids, err := d.identify()
	if err != nil {
		return err
	}
	disk, err := openDisk(ctx, d.Disk, target.Options{Server: ids.Server, ReadOnly: true, LockDir: session.ThisNode().Dir})
	if err != nil {
		return err
	}
	defer disk.Close()
	from, export, err := disk.Handle(ctx)
	if err != nil {
		return err
	}
	tell(disk.Size)
	res, err := d.work(ctx, ids, worker.Job{Action: worker.Export, DiskSize: disk.Size, From: from, Server: export, To: d.Stream})
	if err != nil {
		return disk.Explain(err)
	}
	d.Log.Info(fmt.Sprintf("exported %d bytes, %d of them read from the disk", res.ImageBytes, res.DataBytes))
	return nil
}

// Import writes the dump from the stream to the disk. The disk does not boot
// before all of it is there; what an import that failed leaves never does.
func Import(ctx context.Context, d Dump) error {
	ids, err := d.identify()
	if err != nil {
		return err
	}
	disk, err := openDisk(ctx, d.Disk, target.Options{Server: ids.Server, Existing: true, Image: d.Stream, Raw: true, LockDir: session.ThisNode().Dir})
	if err != nil {
		return err
	}
	defer disk.Close()
	to, export, err := disk.Handle(ctx)
	if err != nil {
		return err
	}
	e, err := newEnds()
	if err != nil {
		return err
	}
	defer e.close()
	res, err := d.work(ctx, ids, worker.Job{
		Action: worker.Import, DiskSize: disk.Size, Wipe: d.Wipe,
		From: d.Stream, To: to, Server: export, Head: e.head, Tail: e.tail,
	})
	if err != nil {
		return disk.Explain(err)
	}
	if ctx.Err() != nil {
		return &report.Failure{Kind: report.Internal, What: "importing the dump", On: disk.Path, Cause: context.Cause(ctx), Remedy: "import it again"}
	}
	if err := target.Commit(ctx, disk, e.head, e.tail); err != nil {
		return disk.Explain(err)
	}
	d.Log.Info(fmt.Sprintf("imported %d bytes, %d of them written as data (zeros: %s)", res.ImageBytes, res.DataBytes, res.Zeroing))
	if rest := disk.Size - res.ImageBytes; rest > 0 {
		d.Log.Warn(fmt.Sprintf("the dump is %d bytes shorter than the disk; behind it: %s", rest, res.Wiped))
	}
	return nil
}

// identify chooses the identities of the children.
func (d Dump) identify() (confine.Identities, error) {
	ids, err := confine.Identify("")
	if ids.Warning != "" {
		d.Log.Warn(ids.Warning)
	}
	return ids, err
}

// work lets a worker do the job.
func (d Dump) work(ctx context.Context, ids confine.Identities, job worker.Job) (worker.Result, error) {
	if c := ids.Worker; c != nil {
		job.UID, job.GID = c.Uid, c.Gid
	}
	w, err := worker.Start(ctx, job)
	if err != nil {
		return worker.Result{}, err
	}
	if len(w.Missing()) > 0 {
		d.Log.Warn(refused("image worker", w.Missing()))
	}
	return w.Wait()
}
