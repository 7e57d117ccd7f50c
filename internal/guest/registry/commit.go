package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"snf-image/internal/command"
)

// change is a value that is to be set or removed.
type change struct {
	path, name string
	value      *Value // nil: removed
}

// Set has Commit set a value, and make its key where that is missing.
func (h *Hive) Set(path, name string, v Value) {
	h.changes = append(h.changes, change{strings.Trim(path, `\`), name, &v})
}

// Delete has Commit remove a value, if it is there.
func (h *Hive) Delete(path, name string) {
	h.changes = append(h.changes, change{strings.Trim(path, `\`), name, nil})
}

// limit is what one run of hivexsh may take: it reads a hive, and writes it.
const limit = 5 * time.Minute

const (
	// maxChanged is more than a hive that is changed has, in bytes: hivexsh holds all of
	// it in memory.
	maxChanged = 160 << 20
	// maxScript bounds what hivexsh is told, in bytes, and maxLine a line of that: it cuts
	// longer ones.
	maxScript = 16 << 20
	maxLine   = 8000
)

// errLimits is the error of a key that hivexsh cannot be told of.
var errLimits = errors.New("a key with such values or names cannot be changed")

// Commit makes all changes in one step. When it fails the hive is as it was.
func (h *Hive) Commit(ctx context.Context) error {
	if len(h.changes) == 0 {
		return nil
	}
	edits, err := h.edits()
	if err != nil {
		return h.wrap(err)
	}
	if len(edits) == 0 {
		h.changes = nil
		return nil
	}
	err = h.root.Rework(h.path, func(copied *os.File) error {
		if err := run(ctx, copied, edits, "commit\n"); err != nil {
			return err
		}
		return verify(copied, edits)
	})
	if err != nil {
		return h.wrap(err)
	}
	f, err := h.root.OpenRegular(h.path)
	if err != nil {
		return err
	}
	_, h.changes = h.file.Close(), nil
	return h.wrap(h.load(f))
}

// Check returns what Commit would fail with, as far as that can be known beforehand: hivexsh,
// which looks at the whole of a hive where we look at a few keys, makes the changes in its
// memory. Nothing is written.
func (h *Hive) Check(ctx context.Context) error {
	edits, err := h.edits()
	if err == nil && len(edits) > 0 {
		err = run(ctx, h.file, edits, "")
	}
	return h.wrap(err)
}

// edit is the key at a path as it will be.
type edit struct {
	path    []string // as far as it is there, as the hive has it
	missing []string
	values  []named
}

// named is a value with its name.
type named struct {
	name string
	Value
}

// edits returns the keys that change, with all of their values.
func (h *Hive) edits() ([]edit, error) {
	var edits []edit
	for i, c := range h.changes {
		same := func(o change) bool { return strings.EqualFold(o.path, c.path) }
		if slices.ContainsFunc(h.changes[:i], same) {
			continue
		}
		e, err := h.read(c.path)
		if err != nil {
			return nil, err
		}
		old := slices.Clone(e.values)
		for _, c := range h.changes {
			if same(c) {
				e.apply(c)
			}
		}
		if !slices.EqualFunc(old, e.values, named.equal) {
			edits = append(edits, e)
		}
	}
	return edits, nil
}

// read returns the key at a path as it is.
func (h *Hive) read(path string) (edit, error) {
	k, names, err := h.find(path)
	if err != nil {
		return edit{}, err
	}
	wanted := strings.FieldsFunc(path, func(r rune) bool { return r == '\\' })
	e := edit{path: names, missing: wanted[len(names):]}
	if k == nil {
		return e, nil
	}
	entries, err := h.entries(*k)
	if err != nil {
		return e, err
	}
	left := maxScript / 2
	for _, entry := range entries {
		v, err := h.value(entry)
		if err != nil {
			return e, err
		}
		if left -= len(v.Data) + len(entry.name); left < 0 {
			return e, fmt.Errorf("%w: together they are too long", errLimits)
		}
		e.values = append(e.values, named{entry.name, v})
	}
	return e, nil
}

// apply makes a change; a value that is there keeps its place and the case of its name.
func (e *edit) apply(c change) {
	i := slices.IndexFunc(e.values, func(v named) bool { return strings.EqualFold(v.name, c.name) })
	switch {
	case c.value == nil && i >= 0:
		e.values = slices.Delete(e.values, i, i+1)
	case c.value == nil:
	case i >= 0:
		e.values[i].Value = *c.value
	default:
		e.values = append(e.values, named{c.name, *c.value})
	}
}

func (v named) equal(o named) bool {
	return v.name == o.name && v.Type == o.Type && string(v.Data) == string(o.Data)
}

// script returns what hivexsh is told: it sets all values of a key or none.
func script(edits []edit) (string, error) {
	var b strings.Builder
	made := map[string]bool{} // keys, in lower case
	for _, e := range edits {
		if err := e.check(); err != nil {
			return "", err
		}
		b.WriteString(`cd \` + strings.Join(e.path, `\`) + "\n")
		path := strings.Join(e.path, `\`)
		for _, name := range e.missing {
			path += `\` + name
			if key := strings.ToLower(path); !made[key] {
				made[key] = true
				fmt.Fprintf(&b, "add %s\n", name)
			}
			fmt.Fprintf(&b, "cd %s\n", name)
		}
		fmt.Fprintf(&b, "setval %d\n", len(e.values))
		for _, v := range e.values {
			fmt.Fprintf(&b, "%s\nhex:%d:%x\n", v.name, v.Type, v.Data)
		}
	}
	if b.Len() > maxScript {
		return "", fmt.Errorf("%w: together they are too long", errLimits)
	}
	return b.String(), nil
}

// check refuses what a line for hivexsh cannot hold.
func (e edit) check() error {
	for _, name := range slices.Concat(e.path, e.missing) {
		if strings.ContainsAny(name, "\\\n\r\x00") || strings.TrimSpace(name) != name || name == "" || name == ".." {
			return fmt.Errorf("%w: key %.40q", errLimits, name)
		}
	}
	for _, v := range e.values {
		if strings.ContainsAny(v.name, "\n\r\x00") || v.name == "@" || 2*len(v.Data)+20 > maxLine || len(v.name) > maxLine {
			return fmt.Errorf("%w: value %.40q of %d bytes", errLimits, v.name, len(v.Data))
		}
	}
	return nil
}

// run has hivexsh make the edits of a file, and what comes last: they are only in its memory
// until they are committed. It ends at the first command that fails.
func run(ctx context.Context, f *os.File, edits []edit, last string) error {
	text, err := script(edits)
	if err != nil {
		return err
	}
	if st, err := f.Stat(); err != nil || st.Size() > maxChanged {
		return errors.Join(err, fmt.Errorf("it has more than %d bytes, too many to be changed", maxChanged))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %v", limit))
	defer cancel()
	_, err = command.Run(ctx, command.Cmd{
		Args: []string{"hivexsh", "-w", "/proc/self/fd/3"}, Files: []*os.File{f}, Stdin: strings.NewReader(text + last),
	})
	if exit, ok := errors.AsType[*command.ExitError](err); ok {
		words, _, _ := strings.Cut(strings.TrimSpace(exit.Stderr), "\n")
		return fmt.Errorf("%w: it cannot be changed, %.200s", ErrDamaged, words)
	}
	return err
}

// verify reads the keys that were to change.
func verify(f *os.File, edits []edit) error {
	var h Hive
	if err := h.load(f); err != nil {
		return fmt.Errorf("reading what was written: %w", err)
	}
	for _, want := range edits {
		path := strings.Join(slices.Concat(want.path, want.missing), `\`)
		got, err := h.read(path)
		if err != nil {
			return fmt.Errorf("reading what was written: %w", err)
		}
		if len(got.missing) > 0 || !slices.EqualFunc(got.values, want.values, named.equal) {
			return fmt.Errorf("the values written to %s are not those that are there", path)
		}
	}
	return nil
}
