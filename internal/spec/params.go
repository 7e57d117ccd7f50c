package spec

import (
	"fmt"
	"slices"
	"strings"
)

// AddJSON sets the parameters of a JSON object, the form of --params and
// config_url: names in any case, values strings, null for not set. The two
// property objects and the personality may be JSON themselves or strings that
// hold it. Problems are returned by Build.
func (p *Parameters) AddJSON(data []byte, origin Origin) {
	src := &source{text: string(data)}
	root, ok := p.parse(src, origin, "")
	if !ok {
		return
	}
	if root.kind != kindObject {
		p.Report(jsonProblem(src, origin, root.start, "", "expected a JSON object, found "+article(root.kind), ErrType))
		return
	}
	p.reportDuplicates(src, origin, "", root.members)
	var unknown []string
	for _, m := range root.members {
		if p.full() {
			return
		}
		name := strings.ToLower(m.name)
		if !isParameter(name) {
			text := shown(m.name)
			if hint := didYouMean(name, parameterNames()); hint != "" {
				text += " (" + hint + ")"
			}
			unknown = append(unknown, text)
			continue
		}
		p.addMember(src, origin, name, m.value)
	}
	if len(unknown) > 0 {
		p.Report(Problem{
			Severity: Warning, Origin: origin, Rule: ErrUnknownParameter,
			Message: "unknown parameters are ignored: " + listOf(unknown),
		})
	}
}

// AddFetched is AddJSON for what config_url delivered. Its values keep that
// origin, whatever they are merged with. A config_url in it is not followed.
func (p *Parameters) AddFetched(data []byte, origin Origin) {
	given, ok := p.values[ConfigURL]
	delete(p.values, ConfigURL)
	p.fetching = true
	p.AddJSON(data, origin)
	p.fetching = false
	if _, another := p.values[ConfigURL]; another {
		p.Report(Problem{
			Severity: Warning, Origin: origin, Path: ConfigURL, Rule: ErrIgnored,
			Message: "not followed: it was fetched by a config_url itself",
		})
		delete(p.values, ConfigURL)
	}
	if ok {
		p.set(ConfigURL, given)
	}
}

// Inherit takes from lower what p does not set itself, and lower's problems.
func (p *Parameters) Inherit(lower *Parameters) {
	for name, v := range lower.values {
		if _, ok := p.values[name]; !ok {
			p.set(name, v)
		}
	}
	p.properties = append(slices.Clone(lower.properties), p.properties...)
	p.files = append(slices.Clone(lower.files), p.files...)
	for _, problem := range lower.problems {
		p.Report(problem)
	}
}

// addMember sets one parameter from the member of a JSON object.
func (p *Parameters) addMember(src *source, origin Origin, name string, n node) {
	native := map[string]kind{ImgProperties: kindObject, InstProperties: kindObject, ImgPersonality: kindArray}[name]
	v := value{origin: origin}
	switch {
	case n.kind == kindNull:
		return
	case n.kind == kindString:
		v.text = Secret(n.text)
		v.src = &source{text: n.text, outer: src, at: n.start + 1, escaped: true}
	case native != "" && n.kind == native:
		text := src.text[n.start:n.end]
		v.text = Secret(text)
		v.src = &source{text: text, outer: src, at: n.start}
	default:
		p.Report(jsonProblem(src, origin, n.start, name, "expected a string, found "+article(n.kind), ErrType))
		return
	}
	p.set(name, v)
}

// parse parses the JSON of src and reports what is wrong with it.
func (p *Parameters) parse(src *source, origin Origin, path string) (node, bool) {
	n, err := parseJSON(src.text)
	if err != nil {
		p.Report(jsonProblem(src, origin, err.offset, path, "invalid JSON: "+err.text, err.rule))
		return node{}, false
	}
	return n, true
}

// reportDuplicates reports names that are given twice, also in another case.
func (p *Parameters) reportDuplicates(src *source, origin Origin, path string, members []member) {
	seen := map[string]int{}
	for _, m := range members {
		if p.full() {
			return
		}
		key := strings.ToUpper(m.name)
		first, dup := seen[key]
		if !dup {
			seen[key] = m.start
			continue
		}
		line, column := src.position(first)
		p.Report(jsonProblem(src, origin, m.start, join(path, m.name),
			fmt.Sprintf("name given twice, first at %d:%d", line, column), ErrDuplicate))
	}
}

// jsonProblem is an error at an offset of src.
func jsonProblem(src *source, origin Origin, offset int, path, message string, rule error) Problem {
	line, column := src.position(offset)
	return Problem{Severity: Error, Origin: origin, Path: path, Line: line, Column: column, Message: message, Rule: rule}
}

// join appends a member's name to a path.
func join(path, name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) || len(name) > 64 {
		name = shown(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// article puts "a" or "an" before a kind.
func article(k kind) string {
	if k == kindArray || k == kindObject {
		return "an " + string(k)
	}
	if k == kindNull {
		return "null"
	}
	return "a " + string(k)
}

// listOf joins at most ten words with commas.
func listOf(words []string) string {
	const limit = 10
	if len(words) > limit {
		words = append(words[:limit:limit], fmt.Sprintf("and %d more", len(words)-limit))
	}
	return strings.Join(words, ", ")
}
