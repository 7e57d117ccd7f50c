package confine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name is argv[0] of the stage. A program that starts children calls [Launch], before
// anything else, when it is started under this name.
const Name = "snf-image-confine"

// Stage is what a process gives up by itself before it becomes the program.
type Stage struct {
	Limits []Limit `json:"limits,omitempty"`
	// Privileges leaves the way to more privileges open (set-uid programs).
	Privileges bool `json:"privileges,omitempty"`
	// Capabilities are those that stay, in the way of root; nil leaves all.
	Capabilities []int `json:"capabilities"`
	// Root is what it sees of the node's files; nil is all that its user may see.
	Root *Root `json:"root,omitempty"`
	// ReadOnly keeps it from changing anything by path, and with a Root from using another
	// path (landlock(7)).
	ReadOnly bool `json:"read_only,omitempty"`
	// Filter keeps it from system calls that no program needs that works on disks, and from
	// making processes (seccomp(2)).
	Filter bool `json:"filter,omitempty"`
	// Refused are system calls that Filter refuses besides.
	Refused []string `json:"refused,omitempty"`
	// Restricts means that the program filters its system calls by itself, with Calls,
	// where HasFilters.
	Restricts bool `json:"restricts,omitempty"`
	// Reopens are descriptors of files that it opens once more, by their names in /proc, and
	// may write in spite of ReadOnly.
	Reopens []int `json:"reopens,omitempty"`
	// Activate adds what announces descriptor 3 as the socket to listen on
	// (sd_listen_fds(3)), which names the process by its id.
	Activate bool `json:"activate,omitempty"`
}

// Limit bounds a resource (setrlimit(2)), as far as it is not bounded more already.
type Limit struct {
	Resource int    `json:"resource"`
	Max      uint64 `json:"max"`
}

// order is what the stage is told.
type order struct {
	Stage
	Path   string              `json:"path"`
	Env    []string            `json:"env"`
	User   *syscall.Credential `json:"user,omitempty"`
	Stays  bool                `json:"stays,omitempty"`
	Status int                 `json:"status"` // the descriptor for the answer
	// Namespaces are those it is in, and the caller is not. In one of users it gets the
	// ids of Mapped.
	Namespaces uintptr `json:"namespaces,omitempty"`
	Mapped     [2]int  `json:"mapped"`
	Group      string  `json:"group,omitempty"` // the control group, empty for the caller's
}

// has reports whether the process is in such a namespace of its own.
func (o order) has(namespace uintptr) bool { return o.Namespaces&namespace != 0 }

// answer is what the stage tells, and nothing when it became the program.
type answer struct {
	Layers  []string `json:"layers,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Error   string   `json:"error,omitempty"`
	Errno   uint     `json:"errno,omitempty"`
}

// maxAnswer bounds what the stage tells, in bytes.
const maxAnswer = 64 << 10

// startStage starts the stage and waits until it has become the program.
func (c Child) startStage(p *Process, flags uintptr) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer func() { _ = r.Close() }()
	text, err := json.Marshal(order{
		Stage: c.Stage, Path: cmp.Or(c.Path, self), Env: c.Env, User: c.User, Stays: c.Stays, Status: 3 + len(c.Files),
		Namespaces: flags, Mapped: [2]int{os.Geteuid(), os.Getegid()}, Group: c.group,
	})
	if err != nil {
		return errors.Join(err, w.Close())
	}
	p.Args = append([]string{Name, string(text)}, c.Args...)
	p.ExtraFiles = append(p.ExtraFiles, w)
	err = p.Cmd.Start()
	_ = w.Close()
	if err != nil {
		return err
	}
	if err := p.hear(r); err != nil {
		_ = p.Process.Kill()
		_ = p.Cmd.Wait()
		return exceeded(p.group, err)
	}
	return nil
}

// hear takes the answers of the stage. They end when the program has begun.
func (p *Process) hear(r io.Reader) error {
	known := false
	for answers := json.NewDecoder(io.LimitReader(r, maxAnswer)); ; known = true {
		var a answer
		err := answers.Decode(&a)
		switch {
		case errors.Is(err, io.EOF) && known:
			return nil
		case err != nil:
			return fmt.Errorf("the process ended before it became the program: %w", err)
		case a.Errno != 0:
			return fmt.Errorf("%s: %w", a.Error, syscall.Errno(a.Errno))
		case a.Error != "":
			return errors.New(a.Error)
		}
		p.Layers, p.Missing = append(p.Layers, a.Layers...), append(p.Missing, a.Missing...)
	}
}

// Launch is the stage: it confines this process and makes it the program. It returns
// only when that failed, after it has told the parent.
func Launch(args []string) error {
	runtime.LockOSThread() // to the end: what is given up belongs to the thread
	if len(args) < 3 {
		return fmt.Errorf("%s: no program is named", Name)
	}
	var o order
	if err := json.Unmarshal([]byte(args[1]), &o); err != nil {
		return fmt.Errorf("%s: %w", Name, err)
	}
	answers := json.NewEncoder(os.NewFile(uintptr(o.Status), "status"))
	err := o.become(args[2:], answers)
	last := answer{Error: err.Error()}
	if exec, ok := errors.AsType[*os.PathError](err); ok {
		errno, _ := errors.AsType[syscall.Errno](exec)
		last = answer{Error: exec.Op + " " + exec.Path, Errno: uint(errno)}
	}
	return errors.Join(err, answers.Encode(last))
}

// become confines the process and makes it the program.
func (o order) become(argv []string, answers *json.Encoder) error {
	if err := closeOnExec(o.Status); err != nil {
		return err
	}
	// A parent that is dead already does not read the answer.
	if err := o.tie(); err != nil {
		return err
	}
	a, program, err := o.confine()
	if err != nil {
		return err
	}
	if err := answers.Encode(a); err != nil {
		return fmt.Errorf("telling the parent: %w", err)
	}
	env := o.Env
	if o.Activate {
		env = append(env, "LISTEN_FDS=1", "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	}
	if o.Filter && HasFilters() { // the last, since it is told about
		if err := o.filter(o.has(unix.CLONE_NEWNET)); err != nil {
			return err
		}
	}
	return &os.PathError{Op: "running", Path: o.Path, Err: unix.Exec(program, argv, env)}
}

// tie ties the life of the calling thread, and of what it becomes, to the parent's.
func (o order) tie() error {
	if o.Stays {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking for the signal at the parent's death: %w", err)
	}
	return nil
}

// confine gives up what the Stage names, and the identity. It returns where the program
// is then.
func (o order) confine() (a answer, program string, err error) {
	if o.has(unix.CLONE_NEWUSER) {
		if err := mapUser(o.Mapped[0], o.Mapped[1]); err != nil {
			return a, "", err
		}
	}
	if o.Group != "" {
		a.name(grouped, enterGroup(o.Group) == nil)
	}
	program = o.changeRoot(&a)
	if !o.Privileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return a, "", fmt.Errorf("giving up privileges: %w", err)
		}
		a.Layers = append(a.Layers, "no-new-privs")
	}
	if o.ReadOnly {
		layers, err := o.landlocked(o.has(unix.CLONE_NEWNET), program)
		if err != nil {
			a.Missing = append(a.Missing, "landlock")
		}
		a.Layers = append(a.Layers, layers...)
	}
	for _, l := range o.Limits {
		if err := l.set(); err != nil {
			return a, "", err
		}
	}
	if len(o.Limits) > 0 {
		a.Layers = append(a.Layers, "rlimits")
	}
	if err := o.changeUser(&a); err != nil {
		return a, "", err
	}
	if o.Filter || o.Restricts {
		a.name("seccomp filter", HasFilters())
	}
	return a, program, o.tie() // a change of the user ends it
}

// name names a layer among those there are or those that are missing.
func (a *answer) name(layer string, there bool) {
	if there {
		a.Layers = append(a.Layers, layer)
	} else {
		a.Missing = append(a.Missing, layer)
	}
}

// changeUser gives up the capabilities, but for those that stay, and becomes the user.
func (o order) changeUser(a *answer) error {
	keep := o.Capabilities
	if o.User != nil || o.has(unix.CLONE_NEWUSER) {
		keep = []int{}
	}
	if keep == nil {
		return nil
	}
	if err := dropBounds(keep); err != nil {
		return err
	}
	if o.User != nil {
		if err := as(o.User); err != nil {
			return err
		}
		a.Layers = append(a.Layers, "uid")
	}
	if err := keepCapabilities(keep); err != nil {
		return err
	}
	if len(keep) == 0 {
		a.Layers = append(a.Layers, "no capabilities")
	} else {
		a.Layers = append(a.Layers, "few capabilities")
	}
	return nil
}

// set sets the limit and makes sure that it holds. A hard limit that is lower stays.
func (l Limit) set() error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(l.Resource, &now); err != nil {
		return fmt.Errorf("reading the limit of resource %d: %w", l.Resource, err)
	}
	want := min(l.Max, now.Max)
	// Not by prlimit(2): execve(2) by package syscall would take that back for files.
	if err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: want, Max: want}); err != nil {
		return fmt.Errorf("limiting resource %d: %w", l.Resource, err)
	}
	if err := syscall.Getrlimit(l.Resource, &now); err != nil || now.Cur != want || now.Max != want {
		return fmt.Errorf("limiting resource %d to %d: it is %d of %d, %w", l.Resource, want, now.Cur, now.Max, err)
	}
	return nil
}
