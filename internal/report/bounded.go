package report

import (
	"slices"
	"time"
)

// MaxMessages bounds the texts of the helper that are passed on in one
// deployment.
const MaxMessages = 100

// maxChanged and maxList bound what a result or an inspection may list.
const (
	maxChanged = 10_000
	maxList    = 256
	// maxFeatures bounds a list of short names.
	maxFeatures = 64
)

// Bounded passes the events of the agent on to a sink. It trusts none of them:
// tasks start and end once and only if they were planned, texts are cleaned
// and counted.
type Bounded struct {
	sink  Sink
	tasks []string
	seen  map[string]bool
	left  int
	now   func() time.Time
	start time.Time // of the last task that started
}

// NewBounded returns a Bounded for a plan with those tasks. It takes the time they take
// itself.
func NewBounded(sink Sink, tasks []string, now func() time.Time) *Bounded {
	return &Bounded{sink: sink, tasks: tasks, seen: map[string]bool{}, left: MaxMessages, now: now, start: now()}
}

// Event passes e on if it may be. Kinds that are not for the owner of the
// instance are dropped.
func (b *Bounded) Event(e Event) {
	switch e.Kind {
	case TaskStart:
		b.task(SubtypeTaskStart, e.Task)
	case TaskEnd:
		b.task(SubtypeTaskEnd, e.Task)
	case Warning:
		b.warning(e)
	}
}

func (b *Bounded) task(subtype, task string) {
	key := subtype + " " + task
	if !slices.Contains(b.tasks, task) || b.seen[key] {
		return
	}
	b.seen[key] = true
	m := Message{Type: ImageHelper, Subtype: subtype, Task: task}
	if subtype == SubtypeTaskStart {
		b.start = b.now()
	} else {
		m.Took = b.now().Sub(b.start)
	}
	b.sink.Send(m)
}

func (b *Bounded) warning(e Event) {
	texts := e.Messages[:min(len(e.Messages), b.left)]
	over := len(texts) < len(e.Messages)
	b.left -= len(texts)
	m := Message{Type: ImageHelper, Subtype: SubtypeWarning, Messages: cleanAll(texts, MaxMessages)}
	if slices.Contains(b.tasks, e.Task) {
		m.Task = e.Task
	}
	if over && !b.seen[notice] {
		b.seen[notice] = true
		m.Messages = append(m.Messages, notice)
	}
	if len(m.Messages) > 0 {
		b.sink.Send(m)
	}
}

// BoundChanges returns what an event says was changed, cleaned; of each kind no more
// than so many and a text that there were more, or nothing when the limit is below 0.
func BoundChanges(e Event, changes, files int) (disk, changed []string) {
	if changes >= 0 {
		disk = cleanAll(e.Messages, changes)
	}
	if files >= 0 {
		changed = cleanAll(e.Files, files)
	}
	return disk, changed
}

// notice stands for all texts after the first MaxMessages.
const notice = "more messages of the helper are left out"

// BoundResult returns r with every text cleaned and every list bounded.
func BoundResult(r Result) Result {
	tasks := r.Tasks[:min(len(r.Tasks), maxList)]
	r.Tasks = make([]TaskResult, len(tasks))
	left := MaxMessages
	for i, t := range tasks {
		warnings := cleanAll(t.Warnings, left)
		left = max(0, left-len(warnings))
		r.Tasks[i] = TaskResult{Clean(t.Name), Outcome(Clean(string(t.Outcome))), Clean(t.Reason), warnings, t.Seconds}
	}
	r.Nonce = Clean(r.Nonce)
	r.Changed = cleanAll(r.Changed, maxChanged)
	r.Error, r.Remedy = Clean(r.Error), Clean(r.Remedy)
	return r
}

// BoundInspection returns i with every text cleaned and every list bounded.
func BoundInspection(i Inspection) Inspection {
	i.Format, i.Layers = "", nil // not for the agent to tell
	for _, s := range []*string{&i.Table, &i.TableID, &i.OSFamily, &i.Root, &i.Distribution, &i.Version, &i.Pretty, &i.Hostname, &i.Init, &i.CloudInit, &i.Network, &i.NetworkReason, &i.Processor, &i.RootFilesystem} {
		*s = Clean(*s)
	}
	if i.SELinux != nil {
		i.SELinux = &SELinux{Clean(i.SELinux.Mode), Clean(i.SELinux.Policy), i.SELinux.Labelled}
	}
	if i.Windows != nil {
		i.Windows = &Windows{Clean(i.Windows.Architecture), Clean(i.Windows.State)}
	}
	for _, list := range []*[]string{&i.BootModes, &i.EFILoaders, &i.RootFeatures} {
		*list = cleanAll((*list)[:min(len(*list), maxFeatures)], maxList)
	}
	i.Users = cleanAll(i.Users, maxList)
	i.HostKeyTypes = cleanAll(i.HostKeyTypes[:min(len(i.HostKeyTypes), 16)], maxList)
	i.Warnings = cleanAll(i.Warnings, MaxMessages)
	i.Accounts = slices.Clone(i.Accounts[:min(len(i.Accounts), maxList)])
	for n := range i.Accounts {
		a := &i.Accounts[n]
		for _, s := range []*string{&a.Name, &a.Password, &a.NoShell, &a.SSHPassword, &a.SSHKeys} {
			*s = Clean(*s)
		}
	}
	i.Partitions = slices.Clone(i.Partitions[:min(len(i.Partitions), maxList)])
	for n := range i.Partitions {
		p := &i.Partitions[n]
		for _, s := range []*string{&p.Type, &p.Name, &p.UUID} {
			*s = Clean(*s)
		}
		p.Contents = boundContents(p.Contents)
	}
	i.Volumes = slices.Clone(i.Volumes[:min(len(i.Volumes), maxList)])
	for n := range i.Volumes {
		v := &i.Volumes[n]
		v.Group, v.Name, v.Contents = Clean(v.Group), Clean(v.Name), boundContents(v.Contents)
	}
	return i
}

func boundContents(c Contents) Contents {
	c.Filesystem, c.Label, c.FSUUID = Clean(c.Filesystem), Clean(c.Label), Clean(c.FSUUID)
	c.Features = cleanAll(c.Features[:min(len(c.Features), maxFeatures)], maxFeatures)
	return c
}
