// Package ganeti reads what Ganeti hands to the scripts of an OS definition (OS
// interface version 20, ganeti-os-interface(7)) and makes the input of a spec
// from it.
//
// It is pure: the environment comes as a value, and nothing here looks at the
// node. What is wrong with the environment is a problem that names the variable.
package ganeti

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// Script is one executable of the OS definition.
type Script string

// The scripts.
const (
	Create Script = "create" // fill disk 0 from the image and customize it
	Import Script = "import" // write a dump to a disk
	Export Script = "export" // dump a disk
	Rename Script = "rename" // give the installed system another name
	Verify Script = "verify" // check the parameters
)

// Scripts returns all scripts.
func Scripts() []Script { return []Script{Create, Import, Export, Rename, Verify} }

// IsScript reports whether a program of that name is one of the scripts.
func IsScript(name string) bool { return slices.Contains(Scripts(), Script(name)) }

// Arguments are what the script is called with.
func (s Script) Arguments() []string {
	if s == Verify {
		return []string{"parameters"}
	}
	return nil
}

// Takes reports whether a parameter means anything to the script. Only create and
// verify look at all; rename at the properties, which may say where the system
// is, so that a missing or outdated parameter is not an obstacle.
// The format of the image is of no use to it: a configured one need not be that
// of this disk.
func (s Script) Takes(parameter string) bool {
	switch s {
	case Create, Verify:
		return true
	case Rename:
		return slices.Contains([]string{spec.ImgProperties, spec.InstProperties}, parameter)
	}
	return false
}

// Call is one call of a script.
type Call struct {
	Script     Script
	Instance   string // INSTANCE_NAME
	OldName    string // OLD_INSTANCE_NAME, rename only
	Variant    string // OS_VARIANT, "" for none
	Hypervisor string // any value is fine
	Reinstall  bool
	Debug      bool // DEBUG_LEVEL is above 0

	// Input is what create, rename and verify make a spec of.
	Input builder.Input
	// Transfer is the disk of export and import, nil for the other scripts.
	Transfer *Transfer
	// Parameters are the OSP_ variables the script takes, sorted. One that is
	// set but empty is among them.
	Parameters []Parameter
}

// Parameter is an OS parameter with the variable it comes from.
type Parameter struct {
	Name   string // of [spec.Parameter]
	Value  spec.Secret
	Origin problem.Origin
}

// Transfer is the disk a dump is made of or written to.
type Transfer struct {
	Device string // a block device or a disk file
	URI    string // EXPORT_DISK_URI, IMPORT_DISK_URI; "" for none
	Index  int    // of the disk
	// SizeFD is the descriptor that export tells the size of the dump, -1 for
	// none.
	SizeFD int
}

// apiVersion is the version of the OS interface we have.
const apiVersion = "20"

// Read makes a Call of the environment. The Call is never nil: with errors
// among the problems it holds what could be read, so that everything can be
// reported at once.
func Read(script Script, env Environment) (*Call, problem.List) {
	r := &reader{env: env}
	c := &Call{
		Script: script, Instance: env["INSTANCE_NAME"], Variant: env["OS_VARIANT"], Hypervisor: env["HYPERVISOR"],
		Reinstall: env["INSTANCE_REINSTALL"] == "1", Debug: r.number("DEBUG_LEVEL", 0, maxLevel) > 0,
		Parameters: parameters(script, env),
	}
	if version, ok := env["OS_API_VERSION"]; version != apiVersion && (ok || script != Verify) {
		r.fail("OS_API_VERSION", fmt.Sprintf("it is %q, this OS definition has version %s of the interface", version, apiVersion))
	}
	if script != Verify {
		r.required("INSTANCE_NAME")
	}
	switch script {
	case Create:
		c.Input = r.machine(spec.ModeDeploy)
		c.Input.NICs = r.nics()
	case Rename:
		c.OldName = r.required("OLD_INSTANCE_NAME")
		c.Input = r.machine(spec.ModeCustomize)
		c.Input.Only = []string{spec.AssignHostname}
	case Verify:
		c.Input = builder.Input{Mode: spec.ModeCheck}
	case Export, Import:
		c.Transfer = r.transfer(strings.ToUpper(string(script)))
	}
	return c, r.problems
}

// parameters returns the OSP_ variables the script takes.
func parameters(script Script, env Environment) []Parameter {
	var out []Parameter
	for _, variable := range env.sorted() {
		upper, ok := strings.CutPrefix(variable, "OSP_")
		if name := strings.ToLower(upper); ok && name != "" && script.Takes(name) {
			out = append(out, Parameter{name, spec.Secret(env[variable]), problem.Origin(variable)})
		}
	}
	return out
}

// machine reads the instance's name and disks.
func (r *reader) machine(mode spec.Mode) builder.Input {
	in := builder.Input{
		Mode: mode, Name: r.env["INSTANCE_NAME"], NameOrigin: "INSTANCE_NAME", Firmware: firmware(r.env),
		Disks: r.disks(), DiskOrigin: "DISK_n_*", NICOrigin: "NIC_n_*",
	}
	if len(in.Disks) == 0 {
		in.DiskOrigin = "DISK_COUNT" // Build says that there is none
	}
	return in
}

// firmware returns what starts the instance, "" where that is not said: versions of Ganeti
// before 4 have no such parameter, and an instance with a kernel of the node needs no
// firmware.
func firmware(env Environment) string {
	kind := env["INSTANCE_HV_boot_type"]
	if kind != "bios" && kind != "uefi" || env["INSTANCE_HV_kernel_path"] != "" {
		return ""
	}
	return kind
}

// transfer reads the disk of export (prefix EXPORT) or import. _DEVICE is there
// in every version of Ganeti, _DISK_PATH says the same.
func (r *reader) transfer(prefix string) *Transfer {
	t := &Transfer{
		Device: r.env[prefix+"_DEVICE"], URI: r.env[prefix+"_DISK_URI"],
		Index: r.number(prefix+"_INDEX", 0, maxCount), SizeFD: r.number("EXP_SIZE_FD", -1, maxFD),
	}
	if t.Device == "" {
		t.Device = r.env[prefix+"_DISK_PATH"]
	}
	if t.Device == "" && t.URI == "" {
		r.required(prefix + "_DEVICE")
	}
	return t
}
