package task

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"snf-image/internal/command"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/sandbox"
	"snf-image/internal/spec"
)

// overwriteDir is where programs of the image lie that stand for tasks.
const overwriteDir = "/root/snf-image/helper"

// runTheTask is the exit status by which such a program asks for the task.
const runTheTask = 101

// maxOverwriteDepth bounds the directories below overwriteDir that are searched.
const maxOverwriteDepth = 4

// overwritten runs a task the image may replace. A program
// overwrite_task_NAME in it is called with pre-exec: status 0 means that it
// did the work; 101 that the task is to run and the program to be called again
// with post-exec; anything else is a failure.
func overwritten(ctx context.Context, r *Run, name string, run Func) error {
	if r.Root == nil {
		return run(ctx, r)
	}
	file := findOverwrite(r.Root, overwriteDir, "overwrite_task_"+name, 0)
	if file == "" {
		return run(ctx, r)
	}
	err := overwriteStep(ctx, r, file, "pre-exec")
	exit, failed := errors.AsType[*command.ExitError](err)
	switch {
	case err == nil:
		r.Log.Info("task replaced by the image", "task", name, "program", file)
		if name == spec.InstallUnattend && r.RecoveryMoved != 0 {
			r.warnRecovery()
		}
		return nil
	case !failed || exit.Code != runTheTask:
		return fmt.Errorf("running %s pre-exec: %w", file, err)
	}
	err = run(ctx, r)
	if _, skipped := errors.AsType[*Skipped](err); err != nil && !skipped {
		return err
	}
	if post := overwriteStep(ctx, r, file, "post-exec"); post != nil {
		return fmt.Errorf("running %s post-exec: %w", file, post)
	}
	return err
}

// overwriteStep calls the program of the image once.
func overwriteStep(ctx context.Context, r *Run, file, step string) error {
	if err := checkRoots(r.Root, file); err != nil {
		return err
	}
	program, err := r.Root.ReadFile(file, maxOverwrite)
	if err != nil {
		return err
	}
	if err := sandbox.CheckRunnable(program); err != nil {
		return err
	}
	return runProgram(ctx, r, command.Cmd{Args: []string{path.Join(r.Target, file), step}})
}

// checkRoots refuses a program that others than root may have written: it runs
// with the rights of the agent.
func checkRoots(root *rootfs.Root, file string) error {
	place, err := root.Only().Find(file)
	if err == nil && place.File != nil && place.File.WrittenByOthers() {
		err = &rootfs.UnsafeError{Path: place.Path, What: "can be written by others than root"}
	}
	return outcome.AdviseUnsafe(err, "let only root of the image write the program and the directories that lead to it, "+
		"or do without ALLOW_MOUNTED_TASK_OVERWRITING")
}

// maxOverwrite bounds the size of such a program, in bytes.
const maxOverwrite = 32 << 20

// findOverwrite looks below dir for an executable regular file called name in
// any case and returns its real path, or "". Symbolic links to files do not
// count, nor those to directories.
func findOverwrite(root *rootfs.Root, dir, name string, depth int) string {
	if depth == 0 {
		real, err := root.RealPath(dir)
		if err != nil {
			return ""
		}
		dir = real
	}
	names, err := root.ReadDir(dir)
	if err != nil {
		return ""
	}
	var dirs []string
	for _, n := range names {
		p := path.Join(dir, n)
		st, err := root.Lstat(p)
		switch {
		case err != nil:
		case st.IsDir():
			dirs = append(dirs, p)
		case strings.EqualFold(n, name) && st.Mode().IsRegular() && st.Mode()&0o111 != 0:
			return p
		}
	}
	for _, d := range dirs {
		if depth < maxOverwriteDepth {
			if found := findOverwrite(root, d, name, depth+1); found != "" {
				return found
			}
		}
	}
	return ""
}
