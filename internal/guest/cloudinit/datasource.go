package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// Where cloud-init keeps its things.
const (
	library = "/var/lib/cloud"
	seedDir = library + "/seed/nocloud-net"
	// NetworkConfig is the seed's network configuration.
	NetworkConfig = seedDir + "/network-config"
	userData      = seedDir + "/user-data"
	metaPath      = seedDir + "/meta-data"
)

// Datasource is what cloud-init makes a machine of: the seed, and settings in its cloud.cfg.d.
type Datasource struct {
	Config Config

	guest    system.Guest
	settings string // the directory cloud.cfg.d
	// settled is a machine that has its users and SSH host keys: only what is told of those is
	// cloud-init's business. Making the other users once more, it would lock their passwords.
	settled bool
}

// Find returns where the image's cloud-init would look. It changes nothing.
func Find(g system.Guest) (Datasource, error) {
	d := Datasource{guest: g}
	if !has(g.Root) {
		return d, errNone(g.Root)
	}
	n := slices.IndexFunc(cloudConfigDirs, g.Root.IsDir)
	if n < 0 {
		return d, outcome.Advise(
			fmt.Errorf("the image has no directory %s, where cloud-init is configured", cloudConfigDirs[0]),
			"make it in the image, or leave out the property CLOUD_INIT",
		)
	}
	d.settings = cloudConfigDirs[n]
	for _, p := range []string{seedDir, d.settings} {
		if point := g.Unmounted(p + "/x"); point != "" {
			err := fmt.Errorf("%s cannot be written: %s of the image's fstab is not mounted", p, point)
			return d, outcome.Advise(err, "give the instance the disk with it, or leave out the property CLOUD_INIT")
		}
	}
	var err error
	if d.Config, err = ReadConfig(g.Root); err != nil {
		return d, err
	}
	d.settled, err = d.isSettled()
	return d, err
}

// Instance is what the seed says about the machine.
type Instance struct {
	ID       string // new for each deployment: else cloud-init would do nothing
	Hostname string // empty to keep the name
	Keys     []string
	UserData []byte
	// Keep names the tasks whose work is not to be done: what the machine has stays.
	Keep []string
	// Debug keeps what is secret beyond the first boot.
	Debug bool
}

// metaData is the file of that name.
type metaData struct {
	ID       string   `yaml:"instance-id"`
	Hostname string   `yaml:"local-hostname,omitempty"`
	Keys     []string `yaml:"public-keys,omitempty"`
}

// Initialize has cloud-init run at the next boot, for a new instance, from our seed alone.
func (d Datasource) Initialize(i Instance) error {
	if err := enable(d.guest); err != nil {
		return err
	}
	waiting, err := d.waiting()
	if err != nil {
		return err
	}
	if waiting != nil {
		i, err = d.join(i, *waiting)
	} else {
		err = d.forget()
	}
	if err != nil {
		return err
	}
	meta, err := yaml.Marshal(metaData{i.ID, i.Hostname, i.Keys})
	if err != nil {
		return err
	}
	d.judge(i.UserData)
	for _, f := range []struct {
		path string
		data []byte
	}{{userData, i.UserData}, {metaPath, meta}} {
		if err := d.write(f.path, f.data, 0o600); err != nil {
			return err
		}
	}
	if err := d.start(i); err != nil {
		return err
	}
	return d.write(scriptDir+"/"+name(spec.InitializeDatasource), []byte(sweepScript(d.secrets(), i.Debug)), 0o700)
}

// judge warns of user-data that cloud-init would drop without a word to anybody.
func (d Datasource) judge(data []byte) {
	var any yaml.Node
	if bytes.HasPrefix(data, []byte("#cloud-config\n")) && yaml.Unmarshal(data, &any) != nil {
		d.guest.Warn("the user-data is not valid YAML: cloud-init will ignore it")
	}
}

// hideLater sets aside settings that are read after ours and name datasources or a network.
func (d Datasource) hideLater() error {
	found, err := d.guest.Root.Glob(d.settings + "/*.cfg")
	if err != nil {
		return err
	}
	for _, p := range found {
		if path.Base(p) < ownSettings {
			continue
		}
		data, err := d.guest.Root.ReadFile(p, maxConfig)
		var named struct {
			List    yaml.Node `yaml:"datasource_list"`
			Source  yaml.Node `yaml:"datasource"`
			Network yaml.Node `yaml:"network"`
		}
		if err == nil {
			err = yaml.Unmarshal(data, &named)
		}
		if err != nil {
			return errConfig(p, err)
		}
		if named.List.IsZero() && named.Source.IsZero() && named.Network.IsZero() {
			continue
		}
		if err := setAside(d.guest, p); err != nil {
			return err
		}
	}
	return nil
}

// name returns the name of a task's files.
func name(task string) string {
	t, _ := spec.LookupTask(task)
	return fmt.Sprintf("%s%d%s", ownSettings, t.Order, task)
}

// file returns the path of a task's settings.
func (d Datasource) file(task string) string { return d.settings + "/" + name(task) + ".cfg" }

// secrets are the files that are emptied at the first boot. cloud-init has what it needs of
// them by then; without the others it would start over.
func (d Datasource) secrets() []string {
	return []string{userData, d.file(spec.ChangePassword), d.file(spec.DeleteSSHKeys)}
}

// put writes a task's settings, behind a head.
func (d Datasource) put(task, head string, settings any) error {
	data, err := yaml.Marshal(settings)
	if err != nil {
		return err
	}
	if string(data) == "{}\n" {
		data = nil
	}
	return d.write(d.file(task), append([]byte(header+head), data...), 0o600)
}

const header = "# Written by snf-image for cloud-init.\n"

func (d Datasource) write(p string, data []byte, mode uint32) error {
	if _, err := d.guest.Root.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	return d.guest.Root.WriteFile(p, data, rootfs.Attr{Mode: mode})
}

// LeaveNetwork has cloud-init keep away from the network, which is configured already.
func (d Datasource) LeaveNetwork() error {
	return d.put(spec.ConfigureNetwork, "", map[string]disabled{"network": {"disabled"}})
}

// SetHostname has cloud-init give the machine its name, whole: of one with dots it would take
// the first word, unless both settings have it.
func (d Datasource) SetHostname(name string) error {
	settings := struct {
		Preserve bool   `yaml:"preserve_hostname"`
		Hostname string `yaml:"hostname"`
		FQDN     string `yaml:"fqdn"`
		Hosts    string `yaml:"manage_etc_hosts,omitempty"`
	}{Hostname: name, FQDN: name}
	distro := d.Config.SystemInfo.Distro.Value
	if (distro == "debian" || distro == "ubuntu") && d.Config.ManageHosts.IsZero() && namesItself(d.guest.Root) {
		settings.Hosts = "localhost" // the line of 127.0.1.1
	}
	return d.put(spec.AssignHostname, "", settings)
}

// namesItself reports whether /etc/hosts has a line for the machine's own name.
func namesItself(root *rootfs.Root) bool {
	data, err := root.ReadFile("/etc/hosts", rootfs.MaxConfig)
	return err == nil && slices.ContainsFunc(bytes.Split(data, []byte("\n")), func(line []byte) bool {
		return bytes.HasPrefix(line, []byte("127.0.1.1 ")) || bytes.HasPrefix(line, []byte("127.0.1.1\t"))
	})
}

// AddSwap has cloud-init make a swap file of that size.
func (d Datasource) AddSwap(mib int64) error {
	type swap struct {
		File string `yaml:"filename"`
		Size int64  `yaml:"size"`
		Max  int64  `yaml:"maxsize"`
	}
	return d.put(spec.AddSwap, "", map[string]swap{"swap": {"/swap.img", mib << 20, mib << 20}})
}

// errNoKeys says that the SSH server would be left without host keys.
var errNoKeys = errors.New("no SSH host key was made for the image")

// ReplaceHostKeys has cloud-init put our host keys in the places of those of the image.
func (d Datasource) ReplaceHostKeys(keys []spec.HostKey) error {
	if len(keys) == 0 {
		return errNoKeys
	}
	pairs := map[string]string{}
	for _, k := range keys {
		pairs[k.Type+"_private"], pairs[k.Type+"_public"] = k.Private.Reveal(), strings.TrimSpace(k.Public)+"\n"
	}
	return d.put(spec.DeleteSSHKeys, "", struct {
		Delete bool              `yaml:"ssh_deletekeys"`
		Keys   map[string]string `yaml:"ssh_keys"`
	}{true, pairs})
}
