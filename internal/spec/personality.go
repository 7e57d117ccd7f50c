package spec

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// maxInjected bounds all injected files and the custom task together, so that
// they fit one message to the agent.
const maxInjected = 10 << 20

// buildPersonality sets Files: those of img_personality, then those given one
// by one.
func (b *builder) buildPersonality() {
	files := b.personality()
	for _, f := range b.files {
		if err := checkFile(f.file); err != "" {
			b.Report(Problem{Severity: Error, Origin: f.origin, Path: shown(f.file.Path), Message: err, Rule: ErrFileFlag})
		}
		files = append(files, f.file)
	}
	b.spec.Files = lastOfEach(files)
	total := len(b.spec.CustomTask)
	for _, f := range b.spec.Files {
		total += len(f.Contents)
	}
	if total > maxInjected {
		b.report(Error, ErrTooLarge, ImgPersonality, fmt.Sprintf("files and custom task have %d bytes, more than %d MiB", total, maxInjected>>20), "")
	}
}

// lastOfEach keeps the last file for each path.
func lastOfEach(files []File) []File {
	last := map[string]int{}
	for i, f := range files {
		last[path.Clean(f.Path)] = i
	}
	var out []File
	for i, f := range files {
		if last[path.Clean(f.Path)] == i {
			out = append(out, f)
		}
	}
	return out
}

// personality reads img_personality (interface.md section 4).
func (b *builder) personality() []File {
	v, ok := b.values[ImgPersonality]
	if !ok || strings.TrimSpace(v.text.Reveal()) == "" {
		return nil
	}
	src := v.source()
	root, ok := b.parse(src, v.origin, ImgPersonality)
	if !ok {
		return nil
	}
	if root.kind != kindArray {
		b.Report(jsonProblem(src, v.origin, root.start, ImgPersonality, "expected a JSON array, found "+article(root.kind), ErrType))
		return nil
	}
	if len(root.items) == 0 {
		b.report(Warning, ErrPersonality, ImgPersonality, "no file in it", "")
	}
	var files []File
	for i, n := range root.items {
		if b.full() {
			break
		}
		e := &entry{Parameters: b.Parameters, src: src, origin: v.origin, path: fmt.Sprintf("%s[%d]", ImgPersonality, i)}
		files = append(files, e.file(n))
	}
	return files
}

// entry reads one object of img_personality.
type entry struct {
	*Parameters
	src    *source
	origin Origin
	path   string
}

func (e *entry) fail(n node, path, message string, rule error) {
	e.Report(jsonProblem(e.src, e.origin, n.start, path, message, rule))
}

func (e *entry) file(n node) File {
	f := File{Mode: defaultFileMode}
	if n.kind != kindObject {
		e.fail(n, e.path, "expected a JSON object, found "+article(n.kind), ErrType)
		return f
	}
	e.reportDuplicates(e.src, e.origin, e.path, n.members)
	seen := map[string]bool{}
	for _, m := range n.members {
		name := strings.ToLower(m.name)
		seen[name] = m.value.kind != kindNull
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
func (e *entry) assign(f *File, name string, m member) {
	at := join(e.path, m.name)
	switch name {
	case "path":
		f.Path = e.string(m.value, at)
		if err := checkPath(f.Path); err != "" && m.value.kind == kindString {
			e.fail(m.value, at, err, ErrPersonality)
		}
	case "contents":
		contents, err := decodeBase64(e.string(m.value, at))
		if err != nil {
			e.fail(m.value, at, "not base64", ErrPersonality)
		}
		f.Contents = contents
	case "owner":
		f.Owner = e.account(m.value, at)
	case "group":
		f.Group = e.account(m.value, at)
	case "mode":
		f.Mode = e.mode(m.value, at)
	default:
		line, column := e.src.position(m.start)
		e.Report(Problem{
			Severity: Warning, Origin: e.origin, Path: at, Line: line, Column: column,
			Message: "unknown key is ignored", Rule: ErrUnknownKey,
		})
	}
}

func (e *entry) string(n node, path string) string {
	if n.kind != kindString {
		e.fail(n, path, "expected a string, found "+article(n.kind), ErrType)
		return ""
	}
	return n.text
}

func (e *entry) account(n node, path string) string {
	name := e.string(n, path)
	if err := checkAccount(name); err != "" {
		e.fail(n, path, err, ErrPersonality)
	}
	return name
}

func (e *entry) mode(n node, path string) uint32 {
	mode, err := strconv.ParseUint(n.text, 10, 32)
	if n.kind != kindNumber || err != nil || mode > maxFileMode {
		e.fail(n, path, "expected a decimal number from 0 to 4095 (288 is octal 0440)", ErrPersonality)
	}
	return uint32(mode)
}

// checkFile says what is wrong with a file to inject, "" for nothing.
func checkFile(f File) string {
	for _, err := range []string{checkPath(f.Path), checkAccount(f.Owner), checkAccount(f.Group)} {
		if err != "" {
			return err
		}
	}
	return ""
}

func checkPath(p string) string {
	switch {
	case !strings.HasPrefix(p, "/"):
		return "the path is not absolute"
	case strings.HasSuffix(p, "/") || path.Clean(p) == "/" || path.Base(p) == "." || path.Base(p) == "..":
		return "the path names a directory"
	case len(p) > 4095 || strings.ContainsFunc(p, isControl):
		return "the path is too long or holds a control character"
	}
	return ""
}

func checkAccount(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return isControl(r) || r == ':' }) || len(name) > 256 {
		return shown(name) + " can not be the name of a user or group"
	}
	return ""
}
