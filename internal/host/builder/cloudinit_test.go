package builder

import (
	"compress/gzip"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// userData has the cloud-init mode and user-data in base64.
func userData(text string) func(*Parameters, *Input) {
	return func(p *Parameters, _ *Input) {
		p.SetProperty(spec.PropCloudInit, "yes", "--property")
		p.Set(spec.CloudUserdata, text, "OSP")
	}
}

// TestUserDataForms takes each form that cloud-init knows, and passes it on as it is.
func TestUserDataForms(t *testing.T) {
	t.Parallel()
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("#cloud-config\n"))
	_ = z.Close()
	for _, data := range []string{
		"#cloud-config\nx: y\n", "#!/bin/sh\n", "#include\nhttp://x/\n", "#cloud-boothook\n", "#part-handler\n", "#cloud-config-archive\n- x\n",
		"## template: jinja\n#cloud-config\n", "Content-Type: multipart/mixed; boundary=\"x\"\nMIME-Version: 1.0\n", "From nobody Thu\nContent-Type: text/plain\n",
		"MIME-Version: 1.0\nContent-Type: multipart/mixed\n", packed.String(),
	} {
		p := withImage()
		userData(base64.StdEncoding.EncodeToString([]byte(data)))(p, nil)
		s, problems := Build(p, deployInput())
		if s == nil || slices.ContainsFunc(problems, func(p problem.Problem) bool { return p.Path == spec.CloudUserdata }) {
			t.Errorf("%q: %v", data, problems)
			continue
		}
		if got := s.Credentials(nil, nil).UserData.Reveal(); got != data {
			t.Errorf("passed on %q, want %q", got, data)
		}
	}
}

// TestCloudInitTasks has what the cloud-init mode leaves out and what it brings, on new disks
// and on those of a machine.
func TestCloudInitTasks(t *testing.T) {
	t.Parallel()
	yes := map[string]string{spec.PropCloudInit: "yes"}
	living := func(in Input) Input {
		in.Mode, in.Asked = spec.ModeCustomize, true
		return in
	}
	named, unnamed := living(deployInput()), living(deployInput())
	unnamed.Name = ""
	grown := unnamed
	grown.Grow = true
	renamed := living(deployInput())
	renamed.Only = []string{spec.AssignHostname}
	for title, c := range map[string]struct {
		in         Input
		properties map[string]string
		cloud      bool
		excluded   []string
	}{
		"deployed": {deployInput(), yes, true, []string{
			spec.DisableRemoteDesktopConnections, spec.FilesystemResizeAfterUmount, spec.FilesystemResizeMounted, spec.FilesystemResizeUnmounted, spec.FixPartitionTable, spec.InstallUnattend,
		}},
		"other no":     {deployInput(), map[string]string{spec.PropCloudInit: "no"}, false, nil},
		"left":         {deployInput(), map[string]string{spec.PropCloudInit: "leave"}, false, nil},
		"no task":      {deployInput(), map[string]string{spec.PropCloudInit: "yes", spec.PropExcludeAll: "yes"}, false, nil},
		"named":        {named, yes, true, nil},
		"only grown":   {grown, yes, false, nil},
		"only renamed": {renamed, yes, false, nil},
	} {
		s := built(t, c.in, c.properties)
		p := s.Plan(spec.PlanOptions{InstanceID: "i", CloudInitDebug: true})
		if p.CloudInit != c.cloud || slices.Contains(p.Tasks, spec.InitializeDatasource) != c.cloud || (p.InstanceID == "i") != c.cloud || p.CloudInitDebug != c.cloud {
			t.Errorf("%s: cloud-init %v, tasks %v", title, p.CloudInit, p.Tasks)
		}
		var excluded []string
		for task, property := range p.Exclude {
			if property == spec.PropCloudInit {
				excluded = append(excluded, task)
			}
		}
		slices.Sort(excluded)
		if !slices.Equal(excluded, c.excluded) {
			t.Errorf("%s: left out %v, want %v", title, excluded, c.excluded)
		}
	}
}

// TestCloudInitPrecedence has the properties of an instance win over those of its image.
func TestCloudInitPrecedence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		image, instance string
		want            bool
	}{{"yes", "", true}, {"no", "yes", true}, {"yes", "no", false}, {"yes", "leave", false}, {"leave", "on", true}} {
		p := withImage()
		p.Set(spec.ImgProperties, `{"cloud_init":"`+c.image+`"}`, "OSP")
		if c.instance != "" {
			p.Set(spec.InstProperties, `{"Cloud_Init":"`+c.instance+`"}`, "OSP")
		}
		s, problems := Build(p, deployInput())
		if s == nil || s.UsesCloudInit() != c.want {
			t.Errorf("%+v: %v, %v", c, s, problems)
		}
	}
}

// TestCloudInitElsewhere refuses the mode for systems that have no such cloud-init.
func TestCloudInitElsewhere(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"windows", "windows-legacy", "freebsd", "netbsd", "openbsd"} {
		p := withImage()
		p.Set(spec.ImgProperties, `{"CLOUD_INIT":"yes","OSFAMILY":"`+family+`"}`, "OSP")
		s, problems := Build(p, deployInput())
		want := "the cloud-init mode is for Linux, not for " + family + "; leave out the property CLOUD_INIT"
		if s != nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: %v, want %q", family, problems, want)
		}
	}
}
