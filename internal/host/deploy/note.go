package deploy

import (
	"slices"
	"time"

	"snf-image/internal/report"
)

// maxDiskChanges and maxChangedFiles bound what is recorded of a helper's changes.
const (
	maxDiskChanges  = 64
	maxChangedFiles = 1000
)

// unfinished is the reason of a task that began and of whose end the helper did not tell.
const unfinished = "the helper ended in the middle of it"

// note records what a helper says while it works: it may not live to send its result.
func (rec *record) note(e report.Event, planned []string) {
	switch e.Kind {
	case report.TaskStart:
		rec.noteStart(e.Task, planned)
	case report.TaskEnd:
		rec.noteEnd(e)
	case report.Changed:
		disk, files := report.BoundChanges(e, maxDiskChanges-len(rec.Disk.Changes), maxChangedFiles-len(rec.Changed))
		rec.Disk.Changes, rec.Changed = append(rec.Disk.Changes, disk...), append(rec.Changed, files...)
	}
}

func (rec *record) noteStart(task string, planned []string) {
	if rec.taskAt(task) >= 0 || !slices.Contains(planned, task) {
		return
	}
	rec.begun = time.Now()
	rec.Tasks = append(rec.Tasks, report.TaskResult{Name: task, Outcome: report.Failed, Reason: unfinished})
}

func (rec *record) noteEnd(e report.Event) {
	i := rec.taskAt(e.Task)
	known := slices.Contains([]report.Outcome{report.Done, report.Warned, report.Skipped, report.Failed}, e.Outcome)
	if i < 0 || rec.Tasks[i].Reason != unfinished || !known {
		return
	}
	rec.Tasks[i] = report.TaskResult{Name: e.Task, Outcome: e.Outcome, Seconds: time.Since(rec.begun).Seconds()}
}

// taskAt returns the place of a task among those that began, or -1.
func (rec *record) taskAt(name string) int {
	return slices.IndexFunc(rec.Tasks, func(t report.TaskResult) bool { return t.Name == name })
}
