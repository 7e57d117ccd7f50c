package builder

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

// built returns the Spec of properties, an error in which ends the test.
func built(t *testing.T, in Input, properties map[string]string) *spec.Spec {
	t.Helper()
	p := withImage()
	for name, text := range properties {
		p.SetProperty(name, text, "--property")
	}
	s, problems := Build(p, in)
	if s == nil {
		t.Fatal(problems)
	}
	return s
}

// always are the tasks nothing has to ask for.
var always = []string{
	spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage, spec.InstallUnattend, spec.FilesystemResizeMounted, spec.AssignHostname,
	spec.ChangeMachineID, spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.DisableRemoteDesktopConnections, spec.SELinuxAutorelabel, spec.UmountImage, spec.FilesystemResizeAfterUmount,
}

// TestPlanOfLivingMachine: whatever works on a disk as it is keeps it sound, with and
// without an image named null.
func TestPlanOfLivingMachine(t *testing.T) {
	t.Parallel()
	null := deployInput()
	p := withImage()
	p.Set(spec.ImgID, "null", "--image")
	without, problems := Build(p, null)
	if without == nil {
		t.Fatal(problems)
	}
	customize := deployInput()
	customize.Mode = spec.ModeCustomize
	for _, tc := range []struct {
		name string
		spec *spec.Spec
		mode spec.Mode
		soft int64
	}{
		{"deploy", built(t, deployInput(), nil), spec.ModeDeploy, 0},
		{"deploy null", without, spec.ModeCustomize, 90},
		{"customize", built(t, customize, nil), spec.ModeCustomize, 90},
	} {
		plan := tc.spec.Plan(spec.PlanOptions{SoftTimeout: 90 * time.Second})
		if plan.Mode != tc.mode || plan.SoftSeconds != tc.soft {
			t.Errorf("%s: mode %s, %d s; want %s, %d s", tc.name, plan.Mode, plan.SoftSeconds, tc.mode, tc.soft)
		}
	}
	if got := without.Plan(spec.PlanOptions{}).SoftSeconds; got != 0 {
		t.Errorf("without a limit: %d s", got)
	}
}

func TestTasks(t *testing.T) {
	t.Parallel()
	full, _ := Build(everything(), deployInput())
	customize := deployInput()
	customize.Mode, customize.Name = spec.ModeCustomize, ""
	inspect := deployInput()
	inspect.Mode = spec.ModeInspect
	for _, tc := range []struct {
		name string
		spec *spec.Spec
		want []string
	}{
		{"nothing asked for", built(t, deployInput(), nil), always},
		{"everything", full, []string{
			spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage, spec.InstallUnattend, spec.FilesystemResizeMounted,
			spec.AddSwap, spec.AssignHostname, spec.ChangeMachineID,
			spec.ChangePassword, spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.DisableRemoteDesktopConnections, spec.EnforcePersonality, spec.RunCustomTask, spec.SELinuxAutorelabel, spec.UmountImage, spec.FilesystemResizeAfterUmount,
		}},
		{"no task at all", built(t, deployInput(), map[string]string{spec.PropExcludeAll: "yes"}), nil},
		{"exclusions stay planned", built(t, deployInput(), map[string]string{spec.PropExcludeMounted: "yes"}), always},
		{"customize without a name", built(t, customize, nil), []string{
			spec.FixPartitionTable, spec.FilesystemResizeUnmounted, spec.MountImage, spec.InstallUnattend, spec.FilesystemResizeMounted,
			spec.ChangeMachineID, spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.DisableRemoteDesktopConnections, spec.SELinuxAutorelabel, spec.UmountImage, spec.FilesystemResizeAfterUmount,
		}},
		{"customize with an answer file alone", &spec.Spec{Mode: spec.ModeCustomize, Asked: true, AnswerFile: "/answer.xml"}, []string{
			spec.MountImage, spec.InstallUnattend, spec.DisableRemoteDesktopConnections, spec.SELinuxAutorelabel, spec.UmountImage,
		}},
		{"inspect", built(t, inspect, nil), nil},
	} {
		if diff := cmp.Diff(tc.want, tc.spec.Tasks()); diff != "" {
			t.Errorf("%s: Tasks (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestExclusions(t *testing.T) {
	t.Parallel()
	mounted := map[string]string{}
	for _, task := range spec.AllTasks() {
		if task.Order >= 30 && task.Order <= 80 {
			mounted[task.Name] = spec.PropExcludeMounted
		}
	}
	for _, tc := range []struct {
		name  string
		props map[string]string
		want  map[string]string
	}{
		{"none", map[string]string{"EXCLUDE_TASK_ADDSWAP": "no"}, map[string]string{}},
		{"one", map[string]string{"exclude_task_AddSwap": "yes"}, map[string]string{spec.AddSwap: "EXCLUDE_TASK_ADDSWAP"}},
		{"any word is yes", map[string]string{"EXCLUDE_TASK_ADDSWAP": "please"}, map[string]string{spec.AddSwap: "EXCLUDE_TASK_ADDSWAP"}},
		{"fixed", map[string]string{"EXCLUDE_TASK_UMOUNTIMAGE": "yes"}, map[string]string{}},
		{"resize", map[string]string{spec.PropExcludeResize: "1"}, map[string]string{
			spec.FilesystemResizeUnmounted: spec.PropExcludeResize, spec.FilesystemResizeMounted: spec.PropExcludeResize,
			spec.FilesystemResizeAfterUmount: spec.PropExcludeResize,
		}},
		{"mounted", map[string]string{spec.PropExcludeMounted: "on", "EXCLUDE_TASK_ADDSWAP": "yes"}, mounted},
	} {
		if diff := cmp.Diff(tc.want, built(t, deployInput(), tc.props).Exclusions()); diff != "" {
			t.Errorf("%s: Exclusions (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestNameIsNotNeededWhenNotWritten(t *testing.T) {
	t.Parallel()
	in := deployInput()
	in.Name = ""
	for _, property := range []string{"EXCLUDE_TASK_ASSIGNHOSTNAME", spec.PropExcludeMounted, spec.PropExcludeAll} {
		built(t, in, map[string]string{property: "yes"})
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	s := built(t, deployInput(), map[string]string{
		spec.PropOSFamily: "Linux", spec.PropRootPartition: "2", spec.PropOverwriting: "yes", "EXCLUDE_TASK_CHANGEMACHINEID": "yes",
	})
	o := spec.PlanOptions{
		Nonce: "n", UnixTime: 5, MachineID: "m", SwapUUID: "s", SwapPartitionUUID: "p", Disks: []spec.PlanDisk{{Serial: "a"}},
		DHCPTags: []string{"d"}, StatefulTags: []string{"e"}, StatelessTags: []string{"f"}, DefaultNIC: "dhcp",
		DNS: []string{"192.0.2.53"}, Search: []string{"example.org"}, Debug: true, DebugShell: true,
	}
	want := spec.Plan{
		Mode: spec.ModeDeploy, Nonce: "n", Tasks: slices.DeleteFunc(allTasks(), func(n string) bool { return n == spec.InitializeDatasource }),
		Idle: []string{spec.AddSwap, spec.ChangePassword, spec.EnforcePersonality, spec.RunCustomTask}, InstanceName: "web1.example.org", OSFamily: "linux", RootPartition: 2,
		Users: []string{"root"}, Format: "diskdump", Properties: s.Properties,
		Exclude: map[string]string{spec.ChangeMachineID: "EXCLUDE_TASK_CHANGEMACHINEID"}, OverwriteTasks: true,
		Disks: o.Disks, DHCPTags: o.DHCPTags, StatefulTags: o.StatefulTags, StatelessTags: o.StatelessTags, DefaultNIC: "dhcp",
		DNS: o.DNS, Search: o.Search, Debug: true, DebugShell: true, WantsCredentials: true,
		UnixTime: 5, MachineID: "m", SwapUUID: "s", SwapPartitionUUID: "p",
	}
	if diff := cmp.Diff(want, s.Plan(o)); diff != "" {
		t.Errorf("Plan (-want +got):\n%s", diff)
	}
}

func allTasks() []string {
	var names []string
	for _, t := range spec.AllTasks() {
		names = append(names, t.Name)
	}
	return names
}

func TestPlanHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s, _ := Build(everything(), deployInput())
	text, err := json.Marshal(s.Plan(spec.PlanOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "AAAA", "IyEvYmluL2Jhc2gK", "bGFzdA=="} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the plan holds %q: %s", secret, text)
		}
	}
}

func TestWantsCredentials(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		props map[string]string
		want  bool
	}{
		{"host keys", nil, true},
		{"nothing left", map[string]string{"EXCLUDE_TASK_DELETESSHKEYS": "yes", spec.PropOSFamily: "linux"}, false},
		{"perhaps Windows", map[string]string{"EXCLUDE_TASK_DELETESSHKEYS": "yes"}, true},
		{"overwriting", map[string]string{"EXCLUDE_TASK_DELETESSHKEYS": "yes", spec.PropOverwriting: "yes"}, true},
		{"not mounted", map[string]string{spec.PropExcludeMounted: "yes", spec.PropOverwriting: "yes"}, false},
		{"custom task", map[string]string{"EXCLUDE_TASK_DELETESSHKEYS": "yes", spec.PropCustomTask: "YQ=="}, true},
		{"seed", map[string]string{"EXCLUDE_TASK_DELETESSHKEYS": "yes", spec.PropCloudInit: "yes"}, true},
		{"no task", map[string]string{spec.PropExcludeAll: "yes"}, false},
	} {
		if got := built(t, deployInput(), tc.props).Plan(spec.PlanOptions{}).WantsCredentials; got != tc.want {
			t.Errorf("%s: WantsCredentials = %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s, _ := Build(everything(), deployInput())
	hashes := map[string]spec.Secret{"root": "$6$x"}
	keys := []spec.HostKey{{Type: "rsa"}}
	c := s.Credentials(hashes, keys)
	if string(c.CustomTask) != "#!/bin/bash\n" || len(c.Files) != 2 || len(c.AuthorizedKeys) != 2 || len(c.Hashes) != 1 || len(c.HostKeys) != 1 {
		t.Errorf("Credentials = %+v, something is missing", c)
	}
	want := map[string]spec.Secret{
		"SNF_IMAGE_PASSWD":    "hunter2",
		"SNF_IMAGE_AUTH_KEYS": "ssh-ed25519 AAAA one\nssh-rsa BBBB two\n",
		"SNF_IMAGE_PERSONALITY": `[{"path":"/a","contents":"bGFzdA==","owner":"www","mode":420},` +
			`{"path":"/b","contents":"Yg==","mode":384}]`,
		"SNF_IMAGE_PROPERTIES":           `{"DESCRIPTION":"two\nlines","N":"5","OS":"debian","SWAP":"3:256","USERS":"root admin\troot"}`,
		"SNF_IMAGE_INST_PROPERTIES":      `{"CUSTOM_TASK":"IyEvYmluL2Jhc2gK"}`,
		"SNF_IMAGE_PROPERTY_CUSTOM_TASK": "IyEvYmluL2Jhc2gK",
	}
	if diff := cmp.Diff(want, c.Environment); diff != "" {
		t.Errorf("Environment (-want +got):\n%s", diff)
	}
}

func TestEnvironmentOnlyForPrograms(t *testing.T) {
	t.Parallel()
	p := everything()
	p.SetProperty("EXCLUDE_TASK_RUNCUSTOMTASK", "yes", "--property")
	s, _ := Build(p, deployInput())
	if c := s.Credentials(nil, nil); c.Environment != nil || c.CustomTask != nil {
		t.Errorf("Credentials without a program to run hold %+v", c)
	}
}

func TestEnvironmentFitsExecve(t *testing.T) {
	t.Parallel()
	p := everything()
	p.AddFile(spec.File{Path: "/big", Contents: make([]byte, 120<<10)}, "--file")
	s, problems := Build(p, deployInput())
	if s == nil {
		t.Fatal(problems)
	}
	if _, ok := s.Credentials(nil, nil).Environment["SNF_IMAGE_PERSONALITY"]; ok {
		t.Error("PERSONALITY is larger than an environment variable can be")
	}
}

func TestImpliedByExtdump(t *testing.T) {
	t.Parallel()
	p := withImage()
	p.Set(spec.ImgID, "null", "OSP_IMG_ID")
	p.Set(spec.ImgFormat, "extdump", "OSP_IMG_FORMAT")
	s, problems := Build(p, deployInput())
	if s == nil {
		t.Fatal(problems)
	}
	if plan := s.Plan(spec.PlanOptions{}); plan.OSFamily != "linux" || plan.RootPartition != 1 {
		t.Errorf("Plan has family %q, root %d, want linux, 1", plan.OSFamily, plan.RootPartition)
	}
}

func TestHashMethod(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ property, family, want string }{
		{"", "linux", "sha512"},
		{"", "openbsd", "blowfish"},
		{"", "netbsd", "sha1"},
		{"YesCrypt", "linux", "yescrypt"},
		{"md5", "openbsd", "md5"},
	} {
		s := &spec.Spec{Properties: map[string]string{spec.PropHashMethod: tc.property}}
		if got := s.HashMethod(tc.family); got != tc.want {
			t.Errorf("HashMethod(%s) with %q = %s, want %s", tc.family, tc.property, got, tc.want)
		}
	}
}

// TestPlanOfAccounts has what the properties about accounts and cloud-init come to.
func TestPlanOfAccounts(t *testing.T) {
	t.Parallel()
	type asked struct{ Create, SSH, Leave bool }
	for _, c := range []struct {
		properties map[string]string
		want       asked
	}{
		{nil, asked{}},
		{map[string]string{spec.PropCreateUsers: "no", spec.PropSSHPasswordLogin: "Keep", spec.PropCloudInit: "off"}, asked{}},
		{map[string]string{spec.PropCreateUsers: "on", spec.PropSSHPasswordLogin: "yes", spec.PropCloudInit: "Leave"}, asked{true, true, true}},
		{map[string]string{spec.PropSSHPasswordLogin: ""}, asked{}},
	} {
		p := built(t, deployInput(), c.properties).Plan(spec.PlanOptions{})
		if got := (asked{p.CreateUsers, p.SSHPasswordLogin, p.LeaveCloudInit}); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.properties, got, c.want)
		}
	}
}
