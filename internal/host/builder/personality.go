package builder

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"snf-image/internal/host/jsondoc"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// maxInjected bounds all injected files and the custom task together, so that
// they fit one message to the agent.
const maxInjected = 10 << 20

// buildPersonality sets Files: those of img_personality, then those given one
// by one.
func (b *builder) buildPersonality() {
	files := b.personality()
	for _, f := range b.files {
		if err := values.CheckFile(f.file); err != "" {
			b.Report(problem.Problem{Severity: problem.Error, Origin: f.origin, Path: problem.Quote(f.file.Path), Message: err, Rule: values.ErrFileFlag})
		}
		files = append(files, f.file)
	}
	b.spec.Files = lastOfEach(files)
	total := len(b.spec.CustomTask)
	for _, f := range b.spec.Files {
		total += len(f.Contents)
	}
	if total > maxInjected {
		b.report(problem.Error, problem.ErrTooLarge, spec.ImgPersonality, fmt.Sprintf("files and custom task have %d bytes, more than %d MiB", total, maxInjected>>20), "")
	}
}

// lastOfEach keeps the last file for each path.
func lastOfEach(files []spec.File) []spec.File {
	last := map[string]int{}
	for i, f := range files {
		last[path.Clean(f.Path)] = i
	}
	var out []spec.File
	for i, f := range files {
		if last[path.Clean(f.Path)] == i {
			out = append(out, f)
		}
	}
	return out
}

// personality reads img_personality.
func (b *builder) personality() []spec.File {
	v, ok := b.values[spec.ImgPersonality]
	if !ok || strings.TrimSpace(v.text.Reveal()) == "" {
		return nil
	}
	src := v.source()
	root, ok := b.parse(src, v.origin, spec.ImgPersonality)
	if !ok {
		return nil
	}
	if root.Kind != jsondoc.Array {
		b.Report(jsonProblem(src, v.origin, root.Start, spec.ImgPersonality, "expected a JSON array, found "+article(root.Kind), ErrType))
		return nil
	}
	if len(root.Items) == 0 {
		b.report(problem.Warning, ErrPersonality, spec.ImgPersonality, "no file in it", "")
	}
	var files []spec.File
	for i, n := range root.Items {
		if b.full() {
			break
		}
		e := &entry{Parameters: b.Parameters, src: src, origin: v.origin, path: fmt.Sprintf("%s[%d]", spec.ImgPersonality, i)}
		files = append(files, e.file(n))
	}
	return files
}

// entry reads one object of img_personality.
type entry struct {
	*Parameters
	src    *jsondoc.Excerpt
	origin problem.Origin
	path   string
}

func (e *entry) fail(n jsondoc.Node, path, message string, rule error) {
	e.Report(jsonProblem(e.src, e.origin, n.Start, path, message, rule))
}

func (e *entry) file(n jsondoc.Node) spec.File {
	f := spec.File{Mode: values.DefaultFileMode}
	if n.Kind != jsondoc.Object {
		e.fail(n, e.path, "expected a JSON object, found "+article(n.Kind), ErrType)
		return f
	}
	e.reportDuplicates(e.src, e.origin, e.path, n.Members)
	seen := map[string]bool{}
	for _, m := range n.Members {
		name := strings.ToLower(m.Name)
		seen[name] = m.Value.Kind != jsondoc.Null
		if seen[name] && !e.full() {
			e.assign(&f, name, m)
		}
	}
	for _, name := range []string{"path", "contents"} {
		if !seen[name] {
			e.fail(n, e.path, "no "+name, ErrRequired)
		}
	}
	return f
}

// assign sets the field of f that the member m, called name in lower case, is for.
func (e *entry) assign(f *spec.File, name string, m jsondoc.Member) {
	at := join(e.path, m.Name)
	switch name {
	case "path":
		f.Path = e.string(m.Value, at)
		if err := values.CheckPath(f.Path); err != "" && m.Value.Kind == jsondoc.String {
			e.fail(m.Value, at, err, ErrPersonality)
		}
	case "contents":
		contents, err := decodeBase64(e.string(m.Value, at))
		if err != nil {
			e.fail(m.Value, at, "not base64", ErrPersonality)
		}
		f.Contents = contents
	case "owner":
		f.Owner = e.account(m.Value, at)
	case "group":
		f.Group = e.account(m.Value, at)
	case "mode":
		f.Mode = e.mode(m.Value, at)
	default:
		line, column := e.src.Position(m.Start)
		e.Report(problem.Problem{
			Severity: problem.Warning, Origin: e.origin, Path: at, Line: line, Column: column,
			Message: "unknown key is ignored", Rule: ErrUnknownKey,
		})
	}
}

func (e *entry) string(n jsondoc.Node, path string) string {
	if n.Kind != jsondoc.String {
		e.fail(n, path, "expected a string, found "+article(n.Kind), ErrType)
		return ""
	}
	return n.Text
}

func (e *entry) account(n jsondoc.Node, path string) string {
	name := e.string(n, path)
	if err := values.CheckAccount(name); err != "" {
		e.fail(n, path, err, ErrPersonality)
	}
	return name
}

func (e *entry) mode(n jsondoc.Node, path string) uint32 {
	mode, err := strconv.ParseUint(n.Text, 10, 32)
	if n.Kind != jsondoc.Number || err != nil || mode > values.MaxFileMode {
		e.fail(n, path, "expected a decimal number from 0 to 4095 (288 is octal 0440)", ErrPersonality)
	}
	return uint32(mode)
}
