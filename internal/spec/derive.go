package spec

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PlanOptions is what a plan needs beside the Spec: values made for this run
// and settings of the node.
type PlanOptions struct {
	Nonce             string
	UnixTime          int64
	MachineID         string // 32 hexadecimal digits
	SwapUUID          string
	SwapPartitionUUID string
	InstanceID        string // for cloud-init
	CloudInitDebug    bool
	Disks             []PlanDisk
	SoftTimeout       time.Duration // for an installed machine, 0 for no limit

	DHCPTags, StatefulTags, StatelessTags []string
	DefaultNIC, TimeZone                  string
	DNS, Search                           []string
	Debug, DebugShell                     bool
}

// Plan derives what the agent is told. It holds no secret. A plan without
// tasks (EXCLUDE_ALL_TASKS) needs no helper.
func (s *Spec) Plan(o PlanOptions) Plan {
	p := Plan{
		Mode: s.planMode(), SwapOnly: !s.grows(), Nonce: o.Nonce, Tasks: s.Tasks(), Exclude: map[string]string{},
		InstanceName: s.Name, Firmware: s.Firmware, Format: string(s.Format), Users: s.Users(), Properties: maps.Clone(s.Properties), Swap: s.Swap,
		OverwriteTasks: s.Boolean(PropOverwriting), WantsCredentials: s.wantsCredentials(),
		Disks: o.Disks, NICs: s.NICs,
		DHCPTags: o.DHCPTags, StatefulTags: o.StatefulTags, StatelessTags: o.StatelessTags, DefaultNIC: o.DefaultNIC, MTU: s.MTU,
		Debug: o.Debug, DebugShell: o.DebugShell,
		UnixTime: o.UnixTime, MachineID: o.MachineID, SwapUUID: o.SwapUUID, SwapPartitionUUID: o.SwapPartitionUUID,
	}
	if p.Mode == ModeCustomize && o.SoftTimeout > 0 {
		p.SoftSeconds = int64(max(o.SoftTimeout, time.Second) / time.Second)
	}
	p.CreateUsers, p.LeaveCloudInit = s.Boolean(PropCreateUsers), s.LeavesCloudInit()
	if slices.Contains(p.Tasks, InitializeDatasource) {
		p.CloudInit, p.CloudInitDebug, p.InstanceID = true, o.CloudInitDebug, o.InstanceID
	}
	p.SSHPasswordLogin = s.Properties[PropSSHPasswordLogin] != "" && !strings.EqualFold(s.Properties[PropSSHPasswordLogin], "keep")
	p.AssumesUsers, p.TimeZone = s.AssumesUsers(), o.TimeZone
	p.setNetwork(s, o)
	p.OSFamily, p.RootPartition = s.Family()
	delete(p.Properties, PropCustomTask)
	for _, name := range p.Tasks {
		if !s.asksFor(name) {
			p.Idle = append(p.Idle, name)
		}
		if property := s.Exclusions()[name]; property != "" {
			p.Exclude[name] = property
		}
	}
	return p
}

// planMode is the mode of the helper: a deployment without an image works on a living
// machine.
func (s *Spec) planMode() Mode {
	if s.living() {
		return ModeCustomize
	}
	return s.Mode
}

// setNetwork sets name servers and search domains: those of the node where the
// Spec has none.
func (p *Plan) setNetwork(s *Spec, o PlanOptions) {
	p.DNS, p.Search = s.DNS, s.Search
	if len(p.DNS) == 0 {
		p.DNS = o.DNS
	}
	if len(p.Search) == 0 {
		p.Search = o.Search
	}
}

// Family returns what the properties or the format say about the system; the
// zero values mean: detect.
func (s *Spec) Family() (family string, root int) {
	family = strings.ToLower(s.Properties[PropOSFamily])
	root, _ = strconv.Atoi(s.Properties[PropRootPartition])
	implied := map[Format]string{ExtDump: "linux", NTFSDump: "windows"}[s.Format]
	if family == "" {
		family = implied
	}
	if root == 0 && implied != "" {
		root = 1
	}
	return family, root
}

// Tasks returns the names of the tasks of a deployment or customization in
// order, also of those EXCLUDE_ properties leave out: the agent accounts for
// them. EXCLUDE_ALL_TASKS and the other modes have no tasks.
func (s *Spec) Tasks() []string {
	if s.ExcludeAll() || s.Mode != ModeDeploy && s.Mode != ModeCustomize {
		return nil
	}
	var names []string
	for _, t := range AllTasks() {
		if t.Missing == "" && (s.asksFor(t.Name) || s.replaceable(t)) {
			names = append(names, t.Name)
		}
	}
	return names
}

// replaceable reports whether a program of the image may stand for a task that nothing asks for.
// A task without which the run has another form, such as InitializeDatasource, is not one.
func (s *Spec) replaceable(t Task) bool {
	return t.Mounted && t.Excludable() && !s.Asked && len(s.Only) == 0 && s.Boolean(PropOverwriting)
}

// Permits reports whether Only leaves a task in.
func (s *Spec) Permits(task string) bool {
	return len(s.Only) == 0 || accompanies(task) || slices.Contains(s.Only, task)
}

// accompanies reports whether a task comes with every other one that needs the image mounted.
func accompanies(task string) bool {
	return task == MountImage || task == SELinuxAutorelabel || task == UmountImage
}

// runs reports whether the task is planned and not left out.
func (s *Spec) runs(task string) bool {
	t, _ := LookupTask(task)
	return t.Missing == "" && s.asksFor(task) && s.exclusion(t) == ""
}

// wantsCredentials reports whether a task of the plan waits for Credentials.
func (s *Spec) wantsCredentials() bool {
	if len(s.Tasks()) == 0 {
		return false
	}
	return s.runs(InitializeDatasource) || s.mayBeWindows() && s.runs(InstallUnattend) || s.runs(ChangePassword) || s.runs(DeleteSSHKeys) || s.runs(EnforcePersonality) || s.runsPrograms()
}

// mayBeWindows reports whether nothing says that the system is another one.
func (s *Spec) mayBeWindows() bool {
	family, _ := s.Family()
	return family == "" || strings.HasPrefix(family, "windows")
}

// runsPrograms reports whether a program of the image or the Spec may run, which
// needs the environment that docs/operating.md lists.
func (s *Spec) runsPrograms() bool {
	return s.runs(RunCustomTask) || s.Boolean(PropOverwriting) && s.runs(MountImage)
}

// Credentials returns the secrets of the deployment. Hashes by user and host
// keys are made elsewhere, for the system the agent found.
func (s *Spec) Credentials(hashes map[string]Secret, keys []HostKey) Credentials {
	c := Credentials{Hashes: hashes, AuthorizedKeys: s.AuthorizedKeys, HostKeys: keys, Files: s.Files}
	if s.runs(InitializeDatasource) && s.UserData != nil {
		c.UserData = decoded(*s.UserData)
	}
	if s.runs(RunCustomTask) {
		c.CustomTask = s.CustomTask
	}
	if s.runsPrograms() {
		c.Environment = s.environment()
	}
	return c
}

// decoded returns user-data, whose base64 was validated.
func decoded(text Secret) Secret {
	data, _ := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text.Reveal()), ""))
	return Secret(data)
}

// maxEnvironment bounds one variable below what execve(2) takes (MAX_ARG_STRLEN).
const maxEnvironment = 120 << 10

// environment returns the SNF_IMAGE_ variables with secrets in them. Unset
// parameters are absent; so is what execve could not pass on.
func (s *Spec) environment() map[string]Secret {
	env := map[string]Secret{}
	put := func(name string, text Secret) {
		if len(text) <= maxEnvironment && !strings.ContainsRune(text.Reveal(), 0) {
			env["SNF_IMAGE_"+name] = text
		}
	}
	for name, secret := range map[string]*Secret{
		"PASSWD": s.Password, "PASSWD_HASH": s.PasswordHash, "OS_PRODUCT_KEY": s.ProductKey, "CLOUD_USERDATA": s.UserData,
	} {
		if secret != nil {
			put(name, *secret)
		}
	}
	if len(s.AuthorizedKeys) > 0 {
		put("AUTH_KEYS", Secret(strings.Join(s.AuthorizedKeys, "\n")+"\n"))
	}
	if len(s.Files) > 0 {
		put("PERSONALITY", asJSON(s.Files))
	}
	put("PROPERTIES", asJSON(s.ImageProperties))
	put("INST_PROPERTIES", asJSON(s.InstanceProperties))
	if text, ok := s.Properties[PropCustomTask]; ok {
		put("PROPERTY_"+PropCustomTask, Secret(text))
	}
	return env
}

// asJSON encodes a value whose encoding cannot fail.
func asJSON(v any) Secret {
	text, _ := json.Marshal(v)
	return Secret(text)
}
