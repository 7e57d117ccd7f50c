package task

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
)

// TestCheck refuses what tasks cannot do, and changes nothing. Where a task is
// not planned, is left out or has nothing to do, nothing is refused.
func TestCheck(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	system := map[string]string{
		"etc/passwd": passwdFile, "etc/group": "root:x:0:\n", "etc/shadow": "root:*:1::::::\n",
		"etc/hostname": "old\n", "etc/hosts": "127.0.0.1 localhost\n", "etc/fstab": "", "etc/machine-id": "old\n",
		"etc/network/interfaces": "auto lo\n", "etc/ssh/sshd_config": "HostKey /etc/ssh/ed25519\n", "etc/ssh/ed25519": "OLD",
	}
	for title, c := range map[string]struct {
		files  map[string]string
		change func(*Run)
		err    string
	}{
		"all":                    {nil, nil, ""},
		"name with a space":      {nil, func(r *Run) { r.Plan.InstanceName = "a b" }, "AssignHostname cannot be done: the instance name"},
		"no name":                {map[string]string{"etc/hostname": "FIFO"}, func(r *Run) { r.Plan.InstanceName = "" }, ""},
		"place of the name":      {map[string]string{"etc/hostname": ""}, func(r *Run) { check(t, r.Root.Remove("/etc/hostname")) }, "AssignHostname cannot be done: found no /etc/hostname"},
		"hostname is a FIFO":     {map[string]string{"etc/hostname": "FIFO"}, nil, "AssignHostname cannot be done: editing /etc/hostname"},
		"hosts is a device":      {map[string]string{"etc/hosts": "ZERO"}, nil, "AssignHostname cannot be done: editing /etc/hosts"},
		"machine id":             {map[string]string{"etc/machine-id": "DIR"}, nil, "ChangeMachineId cannot be done: editing /etc/machine-id"},
		"fstab":                  {map[string]string{"etc/fstab": "DIR"}, nil, "AddSwap cannot be done: the image has no /etc/fstab"},
		"shadow":                 {map[string]string{"etc/shadow": "FIFO"}, nil, "ChangePassword cannot be done: editing /etc/shadow"},
		"keys":                   {map[string]string{"root/.ssh/authorized_keys": "DIR"}, nil, "ChangePassword cannot be done: installing keys"},
		"host key of no type":    {map[string]string{"etc/ssh/sshd_config": "HostKey /k/secret\n", "k/secret": "OLD"}, nil, "DeleteSSHKeys cannot be done: replacing the SSH host key /k/secret"},
		"host key's directory":   {map[string]string{"etc/ssh/sshd_config": "HostKey /k/d/rsa\n", "k/d": "-> /nothing"}, nil, "DeleteSSHKeys cannot be done: .*symbolic link to nothing"},
		"host key's public half": {map[string]string{"etc/ssh/ed25519.pub": "DIR"}, nil, "DeleteSSHKeys cannot be done: .*/etc/ssh/ed25519.pub is a directory"},
		"endless sshd_config":    {map[string]string{"etc/ssh/sshd_config": "Include sshd_config\n"}, nil, "cannot be done: looking for"},
		"owner of a file":        {nil, func(r *Run) { r.Credentials.Files[0].Owner = "nobdy" }, "EnforcePersonality cannot be done: "},
		"custom task":            {nil, func(r *Run) { r.Credentials.CustomTask = []byte("echo") }, "RunCustomTask cannot be done: it is neither a script"},
		"its interpreter":        {nil, func(r *Run) { r.Credentials.CustomTask = []byte("#!/usr/bin/nothing\n") }, "RunCustomTask cannot be done: its interpreter /usr/bin/nothing"},
		"no custom task":         {nil, func(r *Run) { r.Credentials.CustomTask = nil }, ""},
		"NIC":                    {nil, func(r *Run) { r.Plan.NICs[0].Subnet = "10.0.0.1" }, "ConfigureNetwork cannot be done: configuring NIC 0"},
		"interfaces":             {map[string]string{"etc/network/interfaces": "FIFO"}, nil, "ConfigureNetwork cannot be done: editing /etc/network/interfaces"},
		"resolv.conf":            {map[string]string{"etc/resolv.conf": "DIR"}, nil, "ConfigureNetwork cannot be done: writing /etc/resolv.conf"},
		"resolvconf":             {map[string]string{"etc/resolv.conf": "DIR", "sbin/resolvconf": ""}, nil, ""},
		"wicked":                 {map[string]string{"usr/sbin/wicked": "", "etc/sysconfig/network/ifcfg-eth0": "DIR"}, nil, "ConfigureNetwork cannot be done: writing /etc/sysconfig/network/ifcfg-eth0"},
		"image's own network": {map[string]string{"etc/network/interfaces": "FIFO"}, func(r *Run) {
			r.Plan.NICs, r.Plan.DefaultNIC = []spec.NIC{{}}, ""
		}, ""},
		"left out": {map[string]string{"etc/hostname": "FIFO"}, func(r *Run) { r.Plan.Exclude = map[string]string{spec.AssignHostname: "X"} }, ""},
		"not planned": {map[string]string{"etc/hostname": "FIFO", "etc/ssh/ed25519.pub": "DIR"}, func(r *Run) {
			r.Plan.Tasks = []string{spec.ChangePassword}
		}, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for _, m := range []map[string]string{system, c.files} {
				for p, content := range m {
					files[p] = content
				}
			}
			r := checkedRun(t, files)
			if c.change != nil {
				c.change(r.Run)
			}
			before := snapshot(t, r.dir)
			matches(t, Check(t.Context(), r.Run), c.err)
			if diff := cmp.Diff(before, snapshot(t, r.dir)); diff != "" || len(r.warnings) > 0 {
				t.Errorf("warnings %q, changes (-before +after):\n%s", r.warnings, diff)
			}
		})
	}
}

// checkedRun is a Run that has something for every task.
func checkedRun(t *testing.T, files map[string]string) imageRun {
	t.Helper()
	r := newImageRun(t, files)
	r.Disks = []Disk{{Path: "/dev/x"}, {Path: "/dev/y"}}
	r.Plan.Swap = &spec.Swap{Disk: 1}
	r.Plan.InstanceName = "web1"
	r.Plan.NICs = []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24", DNS: []string{"10.0.0.1"}}}
	for _, s := range steps() {
		if s.mounted() {
			r.Plan.Tasks = append(r.Plan.Tasks, s.name)
		}
	}
	r.Credentials = &spec.Credentials{
		Hashes:         map[string]spec.Secret{"root": "$6$x"},
		AuthorizedKeys: []string{"ssh-ed25519 AAAA one"},
		HostKeys:       []spec.HostKey{{Type: "ed25519", Private: "NEW", Public: "ssh-ed25519 BBBB"}},
		Files:          []spec.File{{Path: "/etc/motd", Contents: []byte("x")}},
		CustomTask:     []byte("#!/bin/sh\n"),
	}
	return r
}
