package cloudinit

import (
	"slices"

	"snf-image/internal/spec"
)

// start writes the settings that lead cloud-init to the seed, and keep it from work that is not
// asked for. The list of datasources stands in one line, as ds-identify reads it.
func (d Datasource) start(i Instance) error {
	var keep kept
	for _, task := range i.Keep {
		switch task {
		case spec.AssignHostname:
			keep.PreserveHostname = true
		case spec.DeleteSSHKeys:
			keep.DeleteKeys = new(bool)
			if d.settled { // an image may have none yet
				keep.MakeKeys = d.keyTypes()
			}
		case spec.ConfigureNetwork:
			keep.Network = &disabled{"disabled"}
		}
	}
	if d.settled {
		keep.Users = &[]string{}
	}
	if modules := d.Config.FinalModules; len(modules) > 0 && !modules.has("scripts-per-once", "scripts_per_once") {
		keep.FinalModules = append(entries{"scripts-per-once"}, modules...)
	}
	return d.put(spec.InitializeDatasource, "datasource_list: [ NoCloud ]\n", keep)
}

// keyTypes returns the types of the SSH host keys that a machine has. cloud-init, which wants
// some types to make keys of, makes none where there is one; a machine without any gets them.
func (d Datasource) keyTypes() []string {
	return slices.DeleteFunc([]string{"rsa", "ecdsa", "ed25519"}, func(kind string) bool {
		return !d.guest.Root.IsRegular("/etc/ssh/ssh_host_" + kind + "_key")
	})
}

// kept are the settings by which cloud-init leaves alone what is not asked for.
type kept struct {
	PreserveHostname bool      `yaml:"preserve_hostname,omitempty"`
	DeleteKeys       *bool     `yaml:"ssh_deletekeys,omitempty"`
	MakeKeys         []string  `yaml:"ssh_genkeytypes,omitempty,flow"`
	Network          *disabled `yaml:"network,omitempty"`
	Users            *[]string `yaml:"users,omitempty"`
	FinalModules     entries   `yaml:"cloud_final_modules,omitempty"`
}

// disabled is the configuration of a network that cloud-init leaves alone.
type disabled struct {
	Config string `yaml:"config"`
}
