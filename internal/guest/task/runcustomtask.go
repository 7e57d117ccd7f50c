package task

import (
	"context"
	"fmt"

	"snf-image/internal/command"
	"snf-image/internal/guest/sandbox"
)

// runCustomTask runs the program of the property CUSTOM_TASK with the image
// mounted. It gets no argument; a status other than 0 fails the deployment.
func runCustomTask(ctx context.Context, r *Run) error {
	if r.Credentials == nil || len(r.Credentials.CustomTask) == 0 {
		return Skip("there is no CUSTOM_TASK")
	}
	program := r.Credentials.CustomTask
	if err := sandbox.CheckRunnable(program); err != nil {
		return fmt.Errorf("running CUSTOM_TASK: %w", err)
	}
	f, err := sandbox.MemoryFile("CUSTOM_TASK", program)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return runProgram(ctx, r, command.Cmd{Args: []string{"CUSTOM_TASK"}, Program: f})
}
