package deploy

import "context"

// future is the outcome of work in another goroutine.
type future[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// async runs f. When f fails, cancel ends what runs beside it, with f's error
// as the cause.
func async[T any](cancel context.CancelCauseFunc, f func() (T, error)) *future[T] {
	fu := &future[T]{done: make(chan struct{})}
	go func() {
		defer close(fu.done)
		fu.value, fu.err = f()
		if fu.err != nil {
			cancel(fu.err)
		}
	}()
	return fu
}

// wait returns the outcome of f once it has ended.
func (f *future[T]) wait() (T, error) {
	<-f.done
	return f.value, f.err
}
