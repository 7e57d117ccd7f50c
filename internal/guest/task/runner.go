package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Runner works through the plan of a Run and accounts for every task of it.
type Runner struct {
	Run *Run
	// Between is called after each task, when none of our programs runs.
	Between func()
	// OnFailure is called once after a task failed, the image as it is then.
	OnFailure func(name string, err error)

	reported []string // changed files that the host knows of
}

// Unknown returns the planned tasks this version does not have.
func Unknown(plan *spec.Plan) []string {
	var names []string
	for _, name := range plan.Tasks {
		if _, ok := find(name); !ok {
			names = append(names, name)
		}
	}
	return names
}

// All runs the planned tasks in their order and returns one result for each.
// After a failure the others are left out, except UmountImage. The error is
// that of the first task that failed.
func (r *Runner) All(ctx context.Context) ([]report.TaskResult, error) {
	var results []report.TaskResult
	var failed string
	var failure error
	for _, name := range r.Run.Plan.Tasks {
		if failure != nil && name != spec.UmountImage {
			results = append(results, report.TaskResult{
				Name: name, Outcome: report.Skipped, Reason: "not reached: " + failed + " failed",
			})
			continue
		}
		result, err := r.one(ctx, name)
		r.tellChanged()
		results = append(results, result)
		if err != nil && failure == nil {
			failed, failure = name, err
			r.OnFailure(name, err)
		}
	}
	return results, failure
}

// tellChanged tells the host which files the tasks changed since it was last called.
func (r *Runner) tellChanged() {
	if r.Run.Root == nil {
		return
	}
	changed := r.Run.Root.Changed()
	files := slices.DeleteFunc(slices.Clone(changed), func(name string) bool { return slices.Contains(r.reported, name) })
	r.reported = changed
	if len(files) > 0 {
		r.Run.Emit(report.Event{Kind: report.Changed, Files: files})
	}
}

// one runs one task between its two events.
func (r *Runner) one(ctx context.Context, name string) (report.TaskResult, error) {
	r.Run.Emit(report.Event{Kind: report.TaskStart, Task: name})
	r.Run.warnings = nil
	start := time.Now()
	err := r.attempt(ctx, name)
	result := report.TaskResult{Name: name, Warnings: r.Run.warnings, Seconds: time.Since(start).Seconds()}
	result.Outcome, result.Reason, err = ended(err, len(result.Warnings) > 0)
	if len(result.Warnings) > 0 {
		r.Run.Emit(report.Event{Kind: report.Warning, Task: name, Messages: result.Warnings})
	}
	r.Run.Emit(report.Event{Kind: report.TaskEnd, Task: name, Outcome: result.Outcome})
	r.Between()
	return result, err
}

// ended turns the error of a task into how it ended and a failure, if it is
// one.
func ended(err error, warned bool) (report.Outcome, string, error) {
	skipped, isSkip := errors.AsType[*Skipped](err)
	switch {
	case isSkip:
		return report.Skipped, skipped.Reason, nil
	case err != nil:
		return report.Failed, err.Error(), err
	case warned:
		return report.Warned, "", nil
	}
	return report.Done, "", nil
}

// attempt runs a task unless a property leaves it out. A panic is a failure: it
// must not cost the result.
func (r *Runner) attempt(ctx context.Context, name string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			r.Run.Log.Error("panic", "task", name, "value", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %v", v)
		}
	}()
	s, ok := find(name)
	if !ok {
		return errors.New("this task is not in this version")
	}
	if name != spec.UmountImage {
		if err := timeLeft(ctx); err != nil {
			return err
		}
	}
	if property, ok := r.Run.Plan.Exclude[name]; ok {
		r.Run.Warn("left out because of %s", property)
		return Skip("left out by %s", property)
	}
	run := s.on(r.Run.family())
	switch { // a program of the image may stand for it all the same
	case run == nil:
		run = func(context.Context, *Run) error { return Skip("not for %s", r.Run.family()) }
	case slices.Contains(r.Run.Plan.Idle, name):
		run = func(context.Context, *Run) error { return Skip("nothing asks for it") }
	}
	if s.mounted() && r.Run.Plan.OverwriteTasks {
		return overwritten(ctx, r.Run, name, run)
	}
	return run(ctx, r.Run)
}
