package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/channel"
	"snf-image/internal/command"
	"snf-image/internal/host/credentials"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/format"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// nullImage as img_id means: customise the disk as it is.
const nullImage = "null"

// check opens everything and refuses what can be refused. Up to here nothing
// has been written but the length of a new disk file, which undo takes back.
func (r *run) check(ctx context.Context, o target.Options) error {
	ids, err := identify(r.Config.HelperUser)
	if err != nil {
		return err
	}
	if r.ids = ids; ids.warning != "" {
		r.warn(ids.warning)
	}
	for _, w := range credentials.CheckAuthorizedKeys(r.Spec.AuthorizedKeys) {
		r.warn("auth_keys: " + w)
	}
	r.plan = r.Spec.Plan(r.planOptions())
	r.redactor.AddSpec(r.Spec)
	if r.Spec.AssumesUsers() {
		r.Log.Info("property USERS is not set: credentials are those of " + strings.Join(r.plan.Users, ", "))
	}
	if err := r.openHelper(); err != nil {
		return err
	}
	if err := r.openImage(); err != nil {
		return err
	}
	if err := r.openDisks(ctx, o); err != nil {
		return err
	}
	if r.image != nil {
		if r.ends, err = newEnds(); err != nil {
			return err
		}
	}
	if err := r.openDebugShell(o.DryRun); err != nil || o.DryRun {
		return err
	}
	if r.image != nil && r.image.File == nil {
		return r.openRemote(ctx)
	}
	return r.admit(ctx)
}

// openDebugShell opens the socket of HELPER_DEBUG.
func (r *run) openDebugShell(dry bool) (err error) {
	if !r.plan.DebugShell || dry || r.helper == nil {
		return nil
	}
	if r.shell, err = listeningShell(); err != nil {
		return err
	}
	r.warn("HELPER_DEBUG: when a task fails, a shell in the helper waits at " + r.shell.address())
	return nil
}

// openHelper finds QEMU and verifies the helper image, unless no task is
// planned.
func (r *run) openHelper() error {
	if len(r.plan.Tasks) == 0 && r.plan.Mode != spec.ModeInspect && r.plan.Mode != spec.ModeShell {
		r.Log.Info("no task is planned, the helper is not needed")
		return nil
	}
	qemu, err := command.Find(r.Config.QEMU)
	if err != nil {
		return &report.Failure{
			Kind: report.Node, What: "looking for QEMU", On: r.Config.QEMU, Cause: err,
			Remedy: "install qemu-system-x86, or name the program with KVM in the configuration file",
		}
	}
	r.qemu = qemu
	if err := r.loadHelper(); err != nil {
		return err
	}
	for _, w := range r.helper.Warnings {
		r.warn(w)
	}
	return nil
}

// loadHelper takes the helper image to memory and verifies it.
func (r *run) loadHelper() error {
	img, err := helper.Open(r.Config.HelperDir, helper.OpenOptions{
		Release: r.Release, AnyRelease: !r.Config.VersionCheck, Package: r.Config.HelperPkg,
	})
	if err != nil {
		return err
	}
	r.helper = img
	r.record.openedHelper(img)
	return nil
}

func (r *run) openImage() error {
	if r.plan.Mode != spec.ModeDeploy || r.Spec.Image == nullImage {
		return nil
	}
	if err := format.Check(r.Spec.Format); err != nil {
		return &report.Failure{
			Kind: report.Usage, What: "choosing the image format", On: string(r.Spec.Format), Cause: err,
			Remedy: "convert the image with qemu-img convert -O raw",
		}
	}
	if fetch.IsURL(r.Spec.Image) {
		return r.expectRemote()
	}
	img, err := r.localImage()
	if err != nil {
		return err
	}
	r.image = img
	r.plan.ImageBytes = img.Size
	r.record.openedImage(r.Spec, img)
	return nil
}

// localImage opens the image of the Spec on this node.
func (r *run) localImage() (*source.Image, error) {
	switch {
	case r.Store == nil && r.Spec.FromURL(spec.ImgID):
		return nil, &report.Failure{
			Kind: report.Usage, What: "opening the image", On: spec.ImgID,
			Cause:  errors.New("a URL named a path of this node"),
			Remedy: "name the image with --image, or have the server name one in IMAGE_DIR",
		}
	case r.Store == nil:
		return source.Open(r.Spec.Image)
	}
	img, warnings, err := r.Store.Open(r.Spec.Image, string(r.Spec.Format))
	for _, w := range warnings {
		r.warn("img_id: " + w)
	}
	return img, err
}

// openDisks opens the first disk for writing and the others, but for one that
// becomes swap, for reading only.
func (r *run) openDisks(ctx context.Context, o target.Options) error {
	for i, d := range r.Spec.Disks {
		opts := o
		opts.Others = r.disks
		opts.Size, opts.Existing, opts.Raw = d.Size, r.image == nil, d.Raw
		opts.ReadOnly = d.ReadOnly || i > 0 && !r.swapDisk(i) || r.plan.Mode == spec.ModeInspect
		if r.image != nil && !opts.ReadOnly {
			opts.Image = r.image.File // neither the copy nor swap space may hit the image
		}
		if r.image != nil && i == 0 {
			opts.ImageSize = r.image.Size
		}
		disk, err := openDisk(ctx, d, opts)
		if err != nil {
			return err
		}
		r.disks = append(r.disks, disk)
	}
	if len(r.disks) > 0 {
		r.record.openedDisk(r.disks[0])
	}
	return nil
}

// openDisk opens a disk by its path or, where that is all there is, by its URI.
func openDisk(ctx context.Context, d spec.Disk, o target.Options) (*target.Disk, error) {
	if d.Path != "" {
		return target.Open(d.Path, o)
	}
	o.LockDir = thisNode().Dir
	return target.OpenURI(ctx, d.URI, o)
}

func (r *run) swapDisk(i int) bool { return r.plan.Swap != nil && r.plan.Swap.Disk == i }

// planOptions makes what is random or depends on the clock here, so that the
// helper needs no entropy.
func (r *run) planOptions() spec.PlanOptions {
	o := spec.PlanOptions{
		Nonce: hex.EncodeToString(random(16)), UnixTime: time.Now().Unix(),
		MachineID: strings.ReplaceAll(newUUID(), "-", ""), SwapUUID: newUUID(), SwapPartitionUUID: newUUID(),
		DHCPTags: r.Config.DHCPTags, StatefulTags: r.Config.StatefulDHCPv6Tags, StatelessTags: r.Config.StatelessDHCPv6Tags,
		SoftTimeout: r.Config.HelperSoftTimeout,
		DefaultNIC:  r.Config.DefaultNICConfig, DNS: r.Config.DNS, Search: r.Config.Search,
		Debug: r.Config.ImageDebug, DebugShell: r.Config.HelperDebug,
	}
	for i, d := range r.Spec.Disks {
		disk := spec.PlanDisk{Serial: fmt.Sprintf("disk%d", i), ReadOnly: d.ReadOnly || i > 0 && (r.Spec.Swap == nil || r.Spec.Swap.Disk != i)}
		if i == 0 && r.Spec.Mode == spec.ModeDeploy && r.Spec.Image != nullImage {
			disk.Head, disk.Tail = "head", "tail"
		}
		o.Disks = append(o.Disks, disk)
	}
	return o
}

// vmDisks are the disks as the helper gets them, matching planOptions.
func (r *run) vmDisks() []vm.Disk {
	var disks []vm.Disk
	for i, d := range r.disks {
		disks = append(disks, vm.Disk{
			File: d.File, Connect: d.Connect(), Serial: r.plan.Disks[i].Serial, ReadOnly: r.plan.Disks[i].ReadOnly, Direct: isDirect(d.File),
		})
	}
	if r.ends != nil {
		disks = append(disks, vm.Disk{File: r.ends.head, Serial: "head"}, vm.Disk{File: r.ends.tail, Serial: "tail"})
	}
	return disks
}

// boot starts the helper, unless none is needed.
func (r *run) boot(ctx context.Context) (*helperRun, error) {
	if r.helper == nil {
		return nil, nil
	}
	return r.bootWith(ctx, r.vmDisks())
}

// bootWith starts the helper on disks and gives it the plan, so that it is
// ready when the copy ends.
func (r *run) bootWith(ctx context.Context, disks []vm.Disk) (*helperRun, error) {
	b := &boot{
		image: r.helper, qemu: r.qemu, memoryMiB: r.Config.HelperMemory, user: r.ids.helper,
		disks: disks, nonce: r.plan.Nonce, verdicts: r.verdicts(), redact: r.redactor.Redact, log: r.Log,
	}
	if r.shell != nil {
		b.shell, b.listens = r.shell.file, r.shell.listens
	}
	h, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.talk.send(ctx, channel.Plan, r.plan); err != nil {
		return nil, r.helperError(err, h)
	}
	return h, nil
}

func (r *run) warn(text string) {
	r.Log.Warn(text)
	r.record.Warnings = append(r.record.Warnings, text)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see its documentation
	return b
}

// newUUID returns a random UUID (RFC 9562 section 5.4), also fit as a machine
// id (machine-id(5) takes any that is not all zero).
func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isDirect says whether f bypasses the page cache; QEMU must be told.
func isDirect(f *os.File) bool {
	if f == nil {
		return false // by URI
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_DIRECT != 0
}
