package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// actor is a rogue agent that has said hello and knows the plan.
type actor struct {
	port *os.File
	in   *channel.Reader
	plan *spec.Plan
}

// mischief is what the rogue agent can do, by the first label of the
// instance's name.
var mischief = map[string]func(*actor) error{
	// early claims success before it has the disk.
	"early": func(a *actor) error { return a.send(channel.Result, success(a.plan)) },
	// honest claims success at the right moment without having done anything:
	// the positive control, which the host cannot tell from work done.
	"honest": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		return a.send(channel.Result, success(a.plan))
	},
	"twice": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		if err := a.send(channel.Result, success(a.plan)); err != nil {
			return err
		}
		return a.send(channel.Result, success(a.plan))
	},
	"nonce": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		r := success(a.plan)
		r.Nonce = strings.Repeat("0", len(r.Nonce))
		return a.send(channel.Result, r)
	},
	"incomplete": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		r := success(a.plan)
		r.Tasks = r.Tasks[1:]
		return a.send(channel.Result, r)
	},
	"silent": func(a *actor) error { return a.begin() },
	"hang": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		for {
			time.Sleep(time.Hour) // Go calls an empty select a deadlock
		}
	},
	"panic": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		os.Exit(1) // the kernel panics when PID 1 ends
		return nil
	},
	"oops": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		return oops()
	},
	"garbage": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		_, err := a.port.Write(bytes.Repeat([]byte("\x1b[2J garbage \xff\x00"), 1000))
		return err
	},
	"huge": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		_, err := a.port.Write(binary.BigEndian.AppendUint32(nil, 1<<31))
		return err
	},
	// flood sends events without end, and fills the console as well.
	"flood": func(a *actor) error {
		if err := a.begin(); err != nil {
			return err
		}
		line := strings.Repeat("\x1b]0;x\x07 flood ", 1000)
		for {
			fmt.Fprintln(os.Stderr, line)
			e := report.Event{Kind: report.Warning, Messages: []string{line}}
			if err := a.send(channel.Event, e); err != nil {
				return err
			}
		}
	},
}

func (a *actor) send(t channel.Type, body any) error {
	return channel.Write(a.port, t, body, channel.MaxUp)
}

// begin goes through the conversation up to the credentials.
func (a *actor) begin() error {
	if _, err := a.in.Read(); err != nil { // disk-ready
		return err
	}
	in := report.Inspection{Table: "dos", OSFamily: "linux", Root: "disk-a1", RootPartition: 1, Distribution: "debian"}
	if err := a.send(channel.Inspected, in); err != nil {
		return err
	}
	if !a.plan.WantsCredentials {
		return nil
	}
	_, err := a.in.Read()
	return err
}
