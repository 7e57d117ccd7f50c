package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/channel"
	"snf-image/internal/report"
)

// Limits of what is told to the host. They keep every message below the limit
// of a frame, which the host enforces.
const (
	maxText     = 2048 // bytes of one text
	maxMessages = 20   // of one event
	maxList     = 1000 // elements of one list
	maxBody     = channel.MaxUp - 1024
)

// boundText cuts s to limit bytes, without cutting a character in two.
func boundText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:max(limit-4, 0)], "") + " …"
}

// boundList cuts the list and each text in it. Its last element counts what is left out.
func boundList(list []string, limit, text int) []string {
	var out []string
	for i, s := range list {
		if i == limit-1 && len(list) > limit {
			return append(out, fmt.Sprintf("… and %d more", len(list)-i))
		}
		out = append(out, boundText(s, text))
	}
	return out
}

// shrink calls cut with ever smaller limits until v fits a message.
func shrink(v any, cut func(list, text int)) {
	list, text := maxList, maxText
	for cut(list, text); !fits(v) && list > 1; cut(list, text) {
		list, text = list/2, max(text*3/4, 16)
	}
}

func boundEvent(e report.Event) report.Event {
	out := e
	shrink(&out, func(list, text int) {
		out.Messages = boundList(e.Messages, min(list, maxMessages), text)
		out.Files = boundList(e.Files, list, text)
	})
	return out
}

func boundInspection(i report.Inspection) report.Inspection {
	out := i
	out.Partitions, out.Volumes, out.Accounts = slices.Clone(i.Partitions), slices.Clone(i.Volumes), slices.Clone(i.Accounts)
	shrink(&out, func(list, text int) {
		out.Accounts = out.Accounts[:min(len(out.Accounts), list)]
		for n := range out.Accounts {
			a := &out.Accounts[n]
			for _, s := range []*string{&a.Name, &a.NoShell, &a.SSHPassword, &a.SSHKeys} {
				*s = boundText(*s, max(text/4, 16))
			}
		}
		out.Users, out.Warnings = boundList(i.Users, list, text), boundList(i.Warnings, list, text)
		out.HostKeyTypes = boundList(i.HostKeyTypes, list, text)
		for _, s := range []*string{&out.Root, &out.Distribution, &out.Version, &out.Pretty, &out.Hostname, &out.Init, &out.CloudInit, &out.Network, &out.NetworkReason} {
			*s = boundText(*s, text)
		}
		if i.SELinux != nil {
			out.SELinux = &report.SELinux{Mode: i.SELinux.Mode, Policy: boundText(i.SELinux.Policy, text), Labelled: i.SELinux.Labelled}
		}
		if i.Windows != nil {
			out.Windows = &report.Windows{Architecture: boundText(i.Windows.Architecture, text), State: boundText(i.Windows.State, text)}
		}
		for n := range out.Partitions {
			p := &out.Partitions[n]
			p.Name, p.Contents = boundText(p.Name, max(text/16, 16)), boundContents(p.Contents, text)
		}
		out.Volumes = out.Volumes[:min(len(out.Volumes), list)]
		for n := range out.Volumes {
			out.Volumes[n].Contents = boundContents(out.Volumes[n].Contents, text)
		}
	})
	return out
}

// boundContents leaves out what is told besides where there is not room for all.
func boundContents(c report.Contents, text int) report.Contents {
	if text < maxText {
		c.Features = nil
	}
	c.Label = boundText(c.Label, max(text/16, 16))
	return c
}

// boundResult never leaves out the account of a task.
func boundResult(r report.Result) report.Result {
	out := r
	out.Tasks = slices.Clone(r.Tasks)
	shrink(&out, func(list, text int) {
		out.Changed = boundList(r.Changed, list, text)
		out.Error, out.Remedy = boundText(r.Error, text), boundText(r.Remedy, text)
		for i, t := range r.Tasks {
			out.Tasks[i].Reason = boundText(t.Reason, text)
			out.Tasks[i].Warnings = boundList(t.Warnings, min(list, maxMessages), text)
		}
	})
	return out
}

func fits(v any) bool {
	b, err := json.Marshal(v)
	return err == nil && len(b) <= maxBody
}
