package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/registry"
	"snf-image/internal/guest/rootfs"
)

// NT is what is known of a system with the kernel of Windows NT.
type NT struct {
	// Major and Minor are the version of the kernel, Build that of the system.
	Major, Minor, Build int
	// Architecture is that of the programs: "amd64", "x86", "arm64".
	Architecture string
	// State is the ImageState of the set-up.
	State string
	// Unread is why one of the hives SOFTWARE, which has the state, and SYSTEM, which the tasks
	// change, could not be read; nil when both were.
	Unread error
}

// Directories of Windows and of its registry.
const (
	system32 = "/Windows/System32"
	hives    = system32 + "/config/"
)

// Keys and values of the registry.
const (
	versionKey = `Microsoft\Windows NT\CurrentVersion`
	stateKey   = `Microsoft\Windows\CurrentVersion\Setup\State`
	setReady   = "IMAGE_STATE_COMPLETE"
)

// isWindows knows a system by its directory. Below NT 6 it is one of the older family.
func isWindows(root *rootfs.Root) bool { return root.IsDir(system32) }

// isLegacy knows a Windows by the version in its registry.
func isLegacy(root *rootfs.Root) bool {
	if !isWindows(root) {
		return false
	}
	h, err := registry.Open(root, hives+"SOFTWARE")
	if err != nil {
		return false
	}
	defer h.Close()
	v := values{hive: h}
	major, _ := v.version()
	return v.err == nil && major > 0 && major < 6
}

// values reads values of a hive until the first error.
type values struct {
	hive *registry.Hive
	err  error
}

func (v *values) get(key, name string) registry.Value {
	if v.err != nil {
		return registry.Value{}
	}
	var value registry.Value
	value, _, v.err = v.hive.Value(key, name)
	return value
}

func (v *values) text(key, name string) string { return v.get(key, name).Text() }

// version returns the version of the kernel; since NT 10 the text of older ones says 6.3.
func (v *values) version() (major, minor int) {
	if n, ok := v.get(versionKey, "CurrentMajorVersionNumber").Number(); ok {
		m, _ := v.get(versionKey, "CurrentMinorVersionNumber").Number()
		return int(n), int(m)
	}
	a, b, _ := strings.Cut(v.text(versionKey, "CurrentVersion"), ".")
	major, _ = strconv.Atoi(a)
	minor, _ = strconv.Atoi(b)
	return major, minor
}

// lookWindows examines a Windows by its registry.
func (s *System) lookWindows(root *rootfs.Root) {
	s.Distribution, s.NT = "windows", &NT{}
	s.NT.Unread = s.inHive(root, "SOFTWARE", s.lookSoftware)
	s.warnHive(s.NT.Unread)
	err := s.inHive(root, "SYSTEM", s.lookSystem)
	s.warnHive(err)
	s.NT.Unread = cmp.Or(s.NT.Unread, err)
	s.warnHive(s.inHive(root, "SAM", func(v *values) {
		s.Names, v.err = v.hive.Keys(`SAM\Domains\Account\Users\Names`)
	}))
}

// inHive has a hive read.
func (s *System) inHive(root *rootfs.Root, name string, read func(v *values)) error {
	h, err := registry.Open(root, hives+name)
	if err != nil {
		return err
	}
	defer h.Close()
	v := &values{hive: h}
	read(v)
	return v.err
}

// warnHive keeps an error, for which a Windows is examined less, as a warning.
func (s *System) warnHive(err error) {
	if err != nil {
		s.Warnings = append(s.Warnings, err.Error())
	}
}

func (s *System) lookSoftware(v *values) {
	s.NT.Major, s.NT.Minor = v.version()
	s.NT.Build, _ = strconv.Atoi(cmp.Or(v.text(versionKey, "CurrentBuild"), v.text(versionKey, "CurrentBuildNumber")))
	s.NT.State = v.text(stateKey, "ImageState")
	s.Version = fmt.Sprintf("%d.%d.%d", s.NT.Major, s.NT.Minor, s.NT.Build)
	s.Pretty = v.text(versionKey, "ProductName")
	const windows11 = 22000 // its first build; the name of the product was not changed
	if s.NT.Build >= windows11 {
		s.Pretty = strings.Replace(s.Pretty, "Windows 10", "Windows 11", 1)
	}
}

func (s *System) lookSystem(v *values) {
	if v.err != nil {
		return
	}
	set, err := v.hive.ControlSet()
	if err != nil {
		v.err = err
		return
	}
	s.NT.Architecture = strings.ToLower(v.text(set+`\Control\Session Manager\Environment`, "PROCESSOR_ARCHITECTURE"))
	s.Hostname = v.text(set+`\Control\ComputerName\ComputerName`, "ComputerName")
	s.lookDrivers(v, set+`\Services\`)
}

// lookDrivers warns of drivers that an instance with virtio devices needs. That of the
// disk has to be started with the kernel; that of the network is when it is needed.
func (s *System) lookDrivers(v *values, services string) {
	disk := false
	for _, name := range []string{"viostor", "vioscsi"} {
		disk = disk || startsFirst(v, services+name)
	}
	if !disk && v.err == nil {
		s.Warnings = append(s.Warnings, "neither viostor nor vioscsi is a driver that is started at boot: the system does not start from a virtio disk")
	}
	_, ok := v.get(services+"netkvm", "Start").Number()
	if !ok && v.err == nil {
		s.Warnings = append(s.Warnings, "the driver netkvm is not installed: the system does not reach a virtio network")
	}
}

// startsFirst reports whether a driver is started with the kernel, and nothing overrides
// that.
func startsFirst(v *values, service string) bool {
	start, ok := v.get(service, "Start").Number()
	if !ok || start != 0 {
		return false
	}
	over, ok := v.get(service+`\StartOverride`, "0").Number()
	return !ok || over == 0
}

// reseal is what an administrator does about a Windows that is not ready to be deployed.
const reseal = "in that Windows run sysprep /generalize /oobe /shutdown, and make the image of the disk as it is then"

// Sealed returns why a Windows is not ready to become a new machine, or nil.
func (nt *NT) Sealed() error {
	if nt.Unread != nil {
		return nt.Unread
	}
	switch nt.State {
	case "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", "IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT":
		return nil
	case setReady:
		return outcome.Advise(errors.New("the Windows of the image was never generalized: it is a machine in use ("+nt.State+")"), reseal)
	case "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE", "IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT":
		return outcome.Advise(errors.New("the Windows of the image was sealed without being generalized ("+nt.State+")"), reseal)
	case "IMAGE_STATE_UNDEPLOYABLE":
		return outcome.Advise(errors.New("the set-up of the image's Windows was interrupted ("+nt.State+")"), "install that Windows again, and make the image anew")
	case "":
		return outcome.Advise(errors.New("the registry of the image's Windows does not tell whether it is generalized (ImageState)"), reseal)
	}
	return outcome.Advise(fmt.Errorf("the Windows of the image is in an unknown state, %.60q", nt.State), reseal)
}
