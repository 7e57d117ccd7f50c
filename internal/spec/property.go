package spec

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// buildProperties merges the properties of the image, of the instance and those
// given one by one; the later win.
func (b *builder) buildProperties() {
	b.props = map[string]property{}
	b.spec.ImageProperties = b.mergeProperties(b.propertyObject(ImgProperties))
	b.spec.InstanceProperties = b.mergeProperties(append(b.propertyObject(InstProperties), b.properties...))
	b.spec.Properties = map[string]string{}
	for name, p := range b.props {
		b.spec.Properties[name] = p.text
	}
}

// mergeProperties adds a layer of properties and returns it as a map.
func (b *builder) mergeProperties(layer []property) map[string]string {
	texts := map[string]string{}
	for _, p := range layer {
		b.props[p.name] = p
		texts[p.name] = p.text
	}
	return texts
}

// propertyObject reads img_properties or inst_properties. An empty text means
// none.
func (b *builder) propertyObject(parameter string) []property {
	v, ok := b.values[parameter]
	if !ok || strings.TrimSpace(v.text.Reveal()) == "" {
		return nil
	}
	src := v.source()
	root, ok := b.parse(src, v.origin, parameter)
	if !ok {
		return nil
	}
	if root.kind != kindObject {
		b.Report(jsonProblem(src, v.origin, root.start, parameter, "expected a JSON object, found "+article(root.kind), ErrType))
		return nil
	}
	b.reportDuplicates(src, v.origin, parameter, root.members)
	var found []property
	for _, m := range root.members {
		if b.full() {
			break
		}
		path := join(parameter, m.name)
		switch m.value.kind {
		case kindNull:
		case kindArray, kindObject:
			b.Report(jsonProblem(src, v.origin, m.value.start, path, "expected a string, found "+article(m.value.kind), ErrType))
		default:
			at := &source{text: m.value.text, outer: src, at: m.value.start}
			found = append(found, property{strings.ToUpper(m.name), m.value.text, v.origin, at, path, v.hint})
		}
	}
	return found
}

// reportProperty adds a problem with the value of a property.
func (b *builder) reportProperty(s Severity, rule error, name, message, remedy string) {
	p := b.props[name]
	found := Problem{Severity: s, Origin: p.origin, Path: p.path, Message: message, Remedy: remedy, Rule: rule}
	if p.src != nil {
		found.Line, found.Column = p.src.position(0)
	}
	if p.path == "" {
		found.Path = name
	}
	b.Report(found)
}

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
		if name != PropCustomTask {
			total += len(name) + len(b.props[name].text)
		}
	}
	if total > maxProperties {
		b.Report(Problem{
			Severity: Error, Rule: ErrTooLarge, Path: ImgProperties,
			Message: fmt.Sprintf("the properties have %d bytes, more than %d KiB", total, maxProperties>>10),
		})
	}
	b.checkOSFamily()
	b.checkRootPartition()
	b.checkUsers()
	b.checkHashMethod()
	b.buildSwap()
	b.buildCustomTask()
}

// checkName warns of a name that is unknown but close to a known one. Others are
// accepted without a word: image stores hand over all their metadata.
func (b *builder) checkName(name string) {
	if isProperty(name) {
		return
	}
	if hint := didYouMean(name, propertyNames()); hint != "" {
		b.reportProperty(Warning, ErrUnknownProperty, name, "there is no property "+shown(name)+", it is only passed on to programs", hint)
	}
}

// checkBoolean warns of words that are not in the list and refuses what is not
// there yet.
func (b *builder) checkBoolean(name string) {
	i := slices.IndexFunc(AllProperties(), func(p Property) bool { return p.Name == name })
	exclude := strings.HasPrefix(name, PropExcludeTask)
	if i < 0 && !exclude || i >= 0 && AllProperties()[i].Kind != BooleanProperty {
		return
	}
	text := b.props[name].text
	yes, known := ParseBool(text)
	if !known {
		b.reportProperty(Warning, ErrBoolean, name, shown(text)+" is not a boolean word, yes is assumed", "write yes or no")
	}
	if yes && !exclude && AllProperties()[i].State == PropertyMissing {
		b.reportProperty(Error, ErrNotInThisVersion, name, "property "+name+": not in this version", "")
	}
}

// onlyHint reports whether the property comes from the configuration of the node
// and this is a living machine that gets only what the parameters ask for.
func (b *builder) onlyHint(name string) bool { return b.spec.Asked && b.props[name].hint }

// boolean returns the value of a boolean property.
func (s *Spec) boolean(name string) bool {
	yes, _ := ParseBool(s.Properties[name])
	return yes
}

func (b *builder) checkOSFamily() {
	family, _ := b.spec.family()
	switch {
	case family == "" || family == osFamilies()[0]:
	case slices.Contains(osFamilies(), family):
		b.reportProperty(Error, ErrNotInThisVersion, PropOSFamily, "operating system family "+family+": not in this version", "")
	default:
		b.reportProperty(Error, ErrOSFamily, PropOSFamily, "unknown operating system family "+shown(family), "use one of "+strings.Join(osFamilies(), ", "))
	}
}

func (b *builder) checkRootPartition() {
	text := b.spec.Properties[PropRootPartition]
	n, err := strconv.ParseUint(text, 10, 8)
	if text != "" && (err != nil || n < 1 || n > 128 || text[0] == '+') {
		b.reportProperty(Error, ErrRootPartition, PropRootPartition, "expected a partition number from 1 to 128, found "+shown(text), "")
	}
}

func (b *builder) checkUsers() {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(":/,", r) }
	for _, user := range b.spec.Users() {
		if strings.ContainsFunc(user, bad) || strings.HasPrefix(user, "-") || len(user) > 256 {
			b.reportProperty(Error, ErrUsers, PropUsers, shown(user)+" can not be the name of a user", "")
		}
	}
}

func (b *builder) checkHashMethod() {
	method := strings.ToLower(b.spec.Properties[PropHashMethod])
	if method != "" && !slices.Contains(hashMethods(), method) {
		b.reportProperty(Error, ErrHashMethod, PropHashMethod, "unknown hashing method "+shown(method), "use one of "+strings.Join(hashMethods(), ", "))
	}
}

func (b *builder) buildSwap() {
	text := b.spec.Properties[PropSwap]
	if text == "" || !b.spec.permits(AddSwap) || b.onlyHint(PropSwap) {
		return
	}
	disks := len(b.spec.Disks)
	if b.in.Mode == ModeCheck {
		disks = maxDisks
	}
	swap, err := ParseSwap(text, disks)
	switch {
	case err != nil:
		b.reportProperty(Error, ErrSwap, PropSwap, err.Error(), "")
	case swap.Disk > 0 && swap.Disk < len(b.spec.Disks) && b.spec.Disks[swap.Disk].ReadOnly:
		b.reportProperty(Error, ErrSwap, PropSwap, "the disk for swap is read-only", "")
	}
	b.spec.Swap = swap
}

func (b *builder) buildCustomTask() {
	text := b.spec.Properties[PropCustomTask]
	if text == "" || !b.spec.permits(RunCustomTask) || b.onlyHint(PropCustomTask) {
		return
	}
	program, err := decodeBase64(text)
	switch {
	case err != nil:
		b.reportProperty(Error, ErrCustomTask, PropCustomTask, "not base64", "encode the program with base64")
	case len(program) == 0:
		b.reportProperty(Error, ErrCustomTask, PropCustomTask, "the program is empty", "")
	}
	b.spec.CustomTask = program
}

// decodeBase64 decodes text, skipping white space.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}
