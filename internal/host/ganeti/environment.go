package ganeti

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/host/problem"
)

// Environment are the variables of a call. A variable that is set but empty is
// there, one that is not set is not. It holds secrets: print no value but of a
// known variable.
type Environment map[string]string

// NewEnvironment makes an Environment of NAME=VALUE pairs. As with getenv(3),
// the first of several with one name counts.
func NewEnvironment(pairs []string) Environment {
	env := Environment{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, again := env[name]; ok && !again {
			env[name] = value
		}
	}
	return env
}

func (e Environment) sorted() []string { return slices.Sorted(maps.Keys(e)) }

// Bounds of numbers. Ganeti allows 16 disks and 8 NICs.
const (
	maxCount = 256
	maxLevel = 1 << 20
	maxFD    = 1 << 20
)

// ErrVariable is the rule of every problem with a variable.
var ErrVariable = fmt.Errorf("unusable variable of the OS interface")

// reader takes variables out of an environment and collects problems.
type reader struct {
	env      Environment
	problems problem.List
}

func (r *reader) fail(variable, message string) {
	r.problems = append(r.problems, problem.Problem{
		Severity: problem.Error, Origin: problem.Origin(variable), Message: message,
		Remedy: "let Ganeti call this program", Rule: ErrVariable,
	})
}

// required returns a variable that must be there and not empty.
func (r *reader) required(variable string) string {
	v := r.env[variable]
	if v == "" {
		r.fail(variable, "it is not set")
	}
	return v
}

// number reads a decimal number up to most; missing when not set or empty.
func (r *reader) number(variable string, missing, most int) int {
	text := r.env[variable]
	if text == "" {
		return missing
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > uint64(most) {
		r.fail(variable, fmt.Sprintf("it is %.20q, expected a number up to %d", text, most))
		return missing
	}
	return int(n)
}
