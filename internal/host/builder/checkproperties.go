package builder

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// maxProperties bounds the properties without CUSTOM_TASK, which all go into
// one message to the agent.
const maxProperties = 1 << 20

// checkProperties validates the merged properties.
func (b *builder) checkProperties() {
	total := 0
	for _, name := range slices.Sorted(maps.Keys(b.props)) {
		b.checkBoolean(name)
		b.checkName(name)
		b.checkExclude(name)
		if name != spec.PropCustomTask {
			total += len(name) + len(b.props[name].text)
		}
	}
	if total > maxProperties {
		b.Report(problem.Problem{
			Severity: problem.Error, Rule: problem.ErrTooLarge, Path: spec.ImgProperties,
			Message: fmt.Sprintf("the properties have %d bytes, more than %d KiB", total, maxProperties>>10),
		})
	}
	b.checkOSFamily()
	b.checkRootPartition()
	b.checkGrow()
	b.checkUsers()
	b.checkHashMethod()
	b.checkCloudInit()
	b.checkPasswordLogin()
	b.buildSwap()
	b.buildCustomTask()
}

// checkName warns of a name that is unknown but close to a known one. Others are
// accepted silently: image stores hand over all their metadata.
func (b *builder) checkName(name string) {
	if spec.IsProperty(name) {
		return
	}
	if hint := problem.DidYouMean(name, spec.PropertyNames()); hint != "" {
		b.reportProperty(problem.Warning, ErrUnknownProperty, name, "there is no property "+problem.Quote(name)+", it is only passed on to programs", hint)
	}
}

// checkBoolean warns of words that are not in the list and refuses what is not
// there yet.
func (b *builder) checkBoolean(name string) {
	i := slices.IndexFunc(spec.AllProperties(), func(p spec.Property) bool { return p.Name == name })
	exclude := strings.HasPrefix(name, spec.PropExcludeTask)
	if i < 0 && !exclude || i >= 0 && spec.AllProperties()[i].Kind != spec.BooleanProperty {
		return
	}
	text := b.props[name].text
	yes, known := spec.ParseBool(text)
	if !known {
		b.reportProperty(problem.Warning, ErrBoolean, name, problem.Quote(text)+" is not a boolean word, yes is assumed", "write yes or no")
	}
	if yes && !exclude && spec.AllProperties()[i].State == spec.PropertyMissing {
		b.reportProperty(problem.Error, problem.ErrNotInThisVersion, name, "property "+name+": not in this version", "")
	}
}

// onlyHint reports whether the property comes from the configuration of the node
// and this is an installed machine that gets only what the parameters ask for.
func (b *builder) onlyHint(name string) bool { return b.spec.Asked && b.props[name].hint }

func (b *builder) checkOSFamily() {
	family, _ := b.spec.Family()
	switch {
	case family == "" || slices.Contains(spec.OSFamilies()[:3], family):
	case slices.Contains(spec.OSFamilies(), family):
		b.reportProperty(problem.Error, problem.ErrNotInThisVersion, spec.PropOSFamily, "operating system family "+family+": not in this version", "")
	default:
		b.reportProperty(problem.Error, ErrOSFamily, spec.PropOSFamily, "unknown operating system family "+problem.Quote(family), "use one of "+strings.Join(spec.OSFamilies(), ", "))
	}
}

func (b *builder) checkRootPartition() {
	text := b.spec.Properties[spec.PropRootPartition]
	n, err := strconv.ParseUint(text, 10, 8)
	if text != "" && (err != nil || n > 128 || text[0] == '+') {
		b.reportProperty(problem.Error, ErrRootPartition, spec.PropRootPartition, "expected a partition number from 0 to 128, found "+problem.Quote(text), "")
	}
}

// checkGrow wants a mount point or a partition number.
func (b *builder) checkGrow() {
	text := b.spec.Properties[spec.PropGrow]
	n, err := strconv.ParseUint(text, 10, 8)
	number := err == nil && n >= 1 && n <= 128 && text[0] != '+'
	if text != "" && !number && !strings.HasPrefix(text, "/") {
		b.reportProperty(problem.Error, ErrGrow, spec.PropGrow, "expected a mount point or a partition number from 1 to 128, found "+problem.Quote(text), "")
	}
}

func (b *builder) checkUsers() {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(":/,", r) }
	for _, user := range b.spec.Users() {
		if strings.ContainsFunc(user, bad) || strings.HasPrefix(user, "-") || len(user) > 256 {
			b.reportProperty(problem.Error, ErrUsers, spec.PropUsers, problem.Quote(user)+" is not a valid user name", "")
		}
	}
}

func (b *builder) checkHashMethod() {
	method := strings.ToLower(b.spec.Properties[spec.PropHashMethod])
	if method != "" && !slices.Contains(spec.HashMethods(), method) {
		b.reportProperty(problem.Error, ErrHashMethod, spec.PropHashMethod, "unknown hashing method "+problem.Quote(method), "use one of "+strings.Join(spec.HashMethods(), ", "))
	}
}

func (b *builder) buildSwap() {
	text := b.spec.Properties[spec.PropSwap]
	if text == "" || !b.spec.Permits(spec.AddSwap) || b.onlyHint(spec.PropSwap) {
		return
	}
	disks := len(b.spec.Disks)
	if b.in.Mode == spec.ModeCheck {
		disks = values.MaxDisks
	}
	swap, err := values.ParseSwap(text, disks)
	switch {
	case err != nil:
		b.reportProperty(problem.Error, values.ErrSwap, spec.PropSwap, err.Error(), "")
	case swap.Disk > 0 && swap.Disk < len(b.spec.Disks) && b.spec.Disks[swap.Disk].ReadOnly:
		b.reportProperty(problem.Error, values.ErrSwap, spec.PropSwap, "the disk for swap is read-only", "")
	}
	b.spec.Swap = swap
}

func (b *builder) buildCustomTask() {
	text := b.spec.Properties[spec.PropCustomTask]
	if text == "" || !b.spec.Permits(spec.RunCustomTask) || b.onlyHint(spec.PropCustomTask) {
		return
	}
	program, err := decodeBase64(text)
	switch {
	case err != nil:
		b.reportProperty(problem.Error, ErrCustomTask, spec.PropCustomTask, "not base64", "encode the program with base64")
	case len(program) == 0:
		b.reportProperty(problem.Error, ErrCustomTask, spec.PropCustomTask, "the program is empty", "")
	}
	b.spec.CustomTask = program
}

// decodeBase64 decodes text, skipping white space.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

// checkExclude warns of EXCLUDE_TASK_ properties that do nothing.
func (b *builder) checkExclude(property string) {
	name, ok := strings.CutPrefix(property, spec.PropExcludeTask)
	if !ok {
		return
	}
	task, known := spec.LookupTask(name)
	switch {
	case !known:
		b.reportProperty(problem.Warning, ErrExclude, property, "there is no task "+problem.Quote(name), problem.DidYouMean(property, spec.PropertyNames()))
	case !task.Excludable() && b.spec.Boolean(property):
		b.reportProperty(problem.Warning, ErrExclude, property, "task "+task.Name+" cannot be excluded individually, it runs", "use "+spec.PropExcludeMounted)
	}
}
