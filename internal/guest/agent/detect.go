package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/partition"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// detect finds the operating system: on the partition the plan names, else on
// the first one that holds one.
func (s *session) detect(found *report.Inspection, volumes []filesystem.Volume) error {
	if whole, ok := find(volumes, 0); s.disks[0].table == nil && (!ok || whole.Type == "") {
		return task.TableAdvice(partition.ErrNoTable)
	}
	if n := s.plan.RootPartition; n != 0 {
		return s.detectOn(found, volumes, n)
	}
	return s.detectAmong(found, volumes, volumes)
}

// detectAmong finds the operating system on the first of the candidates that holds one.
func (s *session) detectAmong(found *report.Inspection, candidates, volumes []filesystem.Volume) error {
	var troubles []string
	refused := s.disks[0].lvm
	if refused != nil {
		troubles = append(troubles, refused.Error())
	}
	for _, v := range candidates {
		if v.Disk != 0 || !v.Kind().Root {
			continue
		}
		root, system, err := s.lookIn(v, volumes)
		if err != nil {
			troubles, refused = append(troubles, err.Error()), cmp.Or(refused, err)
			continue
		}
		if system.Family != "" {
			found.Warnings = append(found.Warnings, troubles...)
			s.enter(found, root, system)
			return nil
		}
		troubles = append(troubles, system.Warnings...)
	}
	err := undetected(s.disks[0].parts(), volumes, troubles)
	if r, advised := errors.AsType[*task.Remedied](err); advised && refused != nil {
		return s.damaged(r.Err, refused)
	}
	return err
}

// detectOn looks at the root partition the plan names.
func (s *session) detectOn(found *report.Inspection, volumes []filesystem.Volume, number int) error {
	v, ok := find(volumes, number)
	if !ok {
		return &task.Remedied{Err: fmt.Errorf("the disk has no partition %d", number), Remedy: "correct the property ROOT_PARTITION"}
	}
	if v.Type == filesystem.LVM {
		return s.detectInGroup(found, volumes, number)
	}
	if name := v.Missing(); name != "" {
		return instead(fmt.Errorf("the root partition %d holds %s, which is not in this version", number, name), v.Kind().Instead)
	}
	root, system, err := s.lookIn(v, volumes)
	if err != nil {
		return s.damaged(err, err)
	}
	if system.Family == "" && s.plan.OSFamily == "" {
		return &task.Remedied{
			Err:    fmt.Errorf("no operating system is found on partition %d", number),
			Remedy: "set the property OSFAMILY, or correct ROOT_PARTITION",
		}
	}
	s.enter(found, root, system)
	return nil
}

// detectInGroup looks at the LVM volumes that begin in the partition the plan names.
func (s *session) detectInGroup(found *report.Inspection, volumes []filesystem.Volume, number int) error {
	var own []filesystem.Volume
	for _, v := range volumes {
		if v.Disk == 0 && v.Number == number && v.Logical != "" {
			own = append(own, v)
		}
	}
	return s.detectAmong(found, own, volumes)
}

// damaged returns the error of a file system that the system could be on and that cannot
// be read because of cause: properties do not help then.
func (s *session) damaged(err, cause error) error {
	if errors.Is(cause, filesystem.ErrExternal) {
		return &task.Remedied{Err: err, Remedy: task.OnOneDevice}
	}
	if filesystem.Unsupported(cause) {
		return &task.Remedied{Err: err, Remedy: task.WithoutFeatures}
	}
	if s.plan.Mode == spec.ModeCustomize {
		return &task.Remedied{Err: fmt.Errorf("the disk is damaged: %w", err), Remedy: task.RepairByHand}
	}
	return &task.Remedied{Err: fmt.Errorf("the image is damaged: %w", err), Remedy: "fetch or make the image again"}
}

// enter enters the system on root into the inspection; what the plan says wins.
func (s *session) enter(found *report.Inspection, root filesystem.Volume, system inspect.System) {
	s.root = root
	found.Root, found.RootPartition, found.OSFamily = root.Name, root.Number, system.Family
	if s.plan.OSFamily != "" {
		found.OSFamily = s.plan.OSFamily
	}
	found.Distribution, found.Version, found.Pretty = system.Distribution, system.Version, system.Pretty
	found.Hostname, found.Network, found.NetworkReason = system.Hostname, system.Network, system.NetworkReason
	found.Accounts, found.HostKeyTypes = accounts(system.Accounts), system.HostKeyTypes
	for _, a := range found.Accounts {
		found.Users = append(found.Users, a.Name)
	}
	found.Init = system.Init
	if system.CloudInit.Installed {
		found.CloudInit = system.CloudInit.Verdict
	}
	if system.SELinux.Mode != "" {
		found.SELinux = &report.SELinux{Mode: system.SELinux.Mode, Policy: system.SELinux.Type, Labelled: system.Labelled}
	}
	found.Processor = s.processor
	s.enterNT(found, system)
	found.RootFilesystem, found.RootFeatures = root.Type, filesystem.Features(root)
	found.Warnings = append(found.Warnings, system.Warnings...)
}

// maxTroubles bounds what an error tells of: an image can have trouble on each of
// its partitions.
const maxTroubles = 3

// undetected explains why no operating system was found, by what was, and by
// what was the trouble with the others.
func undetected(partitions []partition.Partition, volumes []filesystem.Volume, troubles []string) error {
	text := "no operating system is found on the disk"
	if len(troubles) > 0 {
		text += " (" + strings.Join(troubles[:min(len(troubles), maxTroubles)], ", ") + ")"
	}
	var missing []string
	var remedy string
	for _, p := range partitions {
		if name := p.BSD(); name != "" {
			missing = append(missing, fmt.Sprintf("%s (partition %d)", name, p.Number))
		}
	}
	for _, v := range volumes {
		if v.Disk == 0 && v.Type != filesystem.LVM && v.Missing() != "" {
			missing = append(missing, fmt.Sprintf("%s (%v)", v.Missing(), v))
			remedy = cmp.Or(remedy, v.Kind().Instead)
		}
	}
	if len(missing) > 0 {
		return instead(fmt.Errorf("%s; not in this version: %s", text, strings.Join(missing, ", ")), remedy)
	}
	if !slices.ContainsFunc(volumes, func(v filesystem.Volume) bool { return v.Disk == 0 && v.Type != "" }) {
		return &task.Remedied{
			Err:    errors.New(text + ": none of its partitions holds a file system that is known; the image is damaged, encrypted or empty"),
			Remedy: "fetch or make the image again",
		}
	}
	return &task.Remedied{
		Err:    errors.New(text),
		Remedy: "set the properties OSFAMILY and ROOT_PARTITION",
	}
}

// instead adds to err what to do instead, if there is anything.
func instead(err error, remedy string) error {
	if remedy == "" {
		return err
	}
	return &task.Remedied{Err: err, Remedy: remedy}
}
