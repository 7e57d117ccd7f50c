package task

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/spec"
)

// maxVariable bounds NAME=value: execve(2) takes no string longer than
// 32 pages (MAX_ARG_STRLEN).
const maxVariable = 128<<10 - 1

// environment returns the variables, with the prefix SNF_IMAGE_, of the programs
// that come with a deployment or an image (docs/operating.md, Programs that run in the helper),
// sorted. The names of those that are too long to be passed on are returned too.
func environment(r *Run) (env, dropped []string) {
	values := map[string]string{}
	put := func(name, value string) { values["SNF_IMAGE_"+name] = value }
	putMachine(r, put)
	putNetwork(r.Plan, put)
	for name, value := range r.Plan.Properties {
		if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" {
			put("PROPERTY_"+name, value)
		}
	}
	if r.Credentials != nil {
		for name, value := range r.Credentials.Environment {
			put(strings.TrimPrefix(name, "SNF_IMAGE_"), value.Reveal())
		}
	}
	for name, value := range values {
		variable := name + "=" + value
		if len(variable) > maxVariable || strings.ContainsRune(value, 0) {
			dropped = append(dropped, name)
			continue
		}
		env = append(env, variable)
	}
	slices.Sort(env)
	slices.Sort(dropped)
	return env, dropped
}

func putMachine(r *Run, put func(name, value string)) {
	put("DEV_COUNT", strconv.Itoa(len(r.Disks)))
	for i, d := range r.Disks {
		put(fmt.Sprintf("DEV_%d", i), d.Path)
	}
	if len(r.Disks) > 0 {
		put("DEV", r.Disks[0].Path)
	}
	put("TARGET", r.Target)
	put("HOSTNAME", r.Plan.InstanceName)
	put("TYPE", r.Plan.Format)
	put("CLOUD_INIT_DEBUG", map[bool]string{true: "yes", false: "no"}[r.Plan.CloudInitDebug])
	if name, p := r.answerFile(); p != "" {
		put(name, path.Join(r.Target, p))
	}
	// Of an LVM volume it is the partition that the volume lies in.
	if name, _, _ := strings.Cut(r.Resize, ":"); name != "" && name != r.Disks[0].whole() {
		put("RESIZE_PART", strings.TrimPrefix(name, r.Disks[0].whole()))
	}
}

func putNetwork(p *spec.Plan, put func(name, value string)) {
	put("DHCP_TAGS", strings.Join(p.DHCPTags, " "))
	put("STATEFUL_DHCPV6_TAGS", strings.Join(p.StatefulTags, " "))
	put("STATELESS_DHCPV6_TAGS", strings.Join(p.StatelessTags, " "))
	put("DEFAULT_NIC_CONFIG", p.DefaultNIC)
	put("NIC_COUNT", strconv.Itoa(len(p.NICs)))
	for i, nic := range p.NICs {
		for _, v := range []struct{ name, value string }{
			{"MAC", nic.MAC},
			{"IP", nic.IP},
			{"IP6", nic.IP6},
			{"NAME", nic.Name},
			{"MODE", nic.Mode},
			{"LINK", nic.Link},
			{"BRIDGE", nic.Bridge},
			{"FRONTEND_TYPE", nic.FrontendType},
			{"NETWORK_NAME", nic.Network},
			{"NETWORK_SUBNET", nic.Subnet},
			{"NETWORK_GATEWAY", nic.Gateway},
			{"NETWORK_SUBNET6", nic.Subnet6},
			{"NETWORK_GATEWAY6", nic.Gateway6},
			{"NETWORK_TAGS", strings.Join(nic.Tags, " ")},
		} {
			if v.value != "" {
				put(fmt.Sprintf("NIC_%d_%s", i, v.name), v.value)
			}
		}
	}
}
