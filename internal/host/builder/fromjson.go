package builder

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/host/jsondoc"
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// AddJSON sets the parameters of a JSON object, the form of --params and
// config_url: names in any case, values strings, null for not set. The two
// property objects and the personality may be JSON themselves or strings that
// hold it. Problems are returned by Build.
func (p *Parameters) AddJSON(data []byte, origin problem.Origin) {
	src := &jsondoc.Excerpt{Text: string(data)}
	root, ok := p.parse(src, origin, "")
	if !ok {
		return
	}
	if root.Kind != jsondoc.Object {
		p.Report(jsonProblem(src, origin, root.Start, "", "expected a JSON object, found "+article(root.Kind), ErrType))
		return
	}
	p.reportDuplicates(src, origin, "", root.Members)
	var unknown []string
	for _, m := range root.Members {
		if p.full() {
			return
		}
		name := strings.ToLower(m.Name)
		if !spec.IsParameter(name) {
			text := problem.Quote(m.Name)
			if hint := problem.DidYouMean(name, spec.ParameterNames()); hint != "" {
				text += " (" + hint + ")"
			}
			unknown = append(unknown, text)
			continue
		}
		p.addMember(src, origin, name, m.Value)
	}
	if len(unknown) > 0 {
		p.Report(problem.Problem{
			Severity: problem.Warning, Origin: origin, Rule: ErrUnknownParameter,
			Message: "unknown parameters are ignored: " + listOf(unknown),
		})
	}
}

// AddFetched is AddJSON for what config_url delivered. Its values keep that
// origin, whatever they are merged with. A config_url in it is not followed.
func (p *Parameters) AddFetched(data []byte, origin problem.Origin) {
	given, ok := p.values[spec.ConfigURL]
	delete(p.values, spec.ConfigURL)
	p.fetching = true
	p.AddJSON(data, origin)
	p.fetching = false
	if _, another := p.values[spec.ConfigURL]; another {
		p.Report(problem.Problem{
			Severity: problem.Warning, Origin: origin, Path: spec.ConfigURL, Rule: ErrIgnored,
			Message: "not followed: it was fetched by a config_url itself",
		})
		delete(p.values, spec.ConfigURL)
	}
	if ok {
		p.set(spec.ConfigURL, given)
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
	for _, found := range lower.problems {
		p.Report(found)
	}
}

// addMember sets one parameter from the member of a JSON object.
func (p *Parameters) addMember(src *jsondoc.Excerpt, origin problem.Origin, name string, n jsondoc.Node) {
	native := map[string]jsondoc.Kind{spec.ImgProperties: jsondoc.Object, spec.InstProperties: jsondoc.Object, spec.ImgPersonality: jsondoc.Array}[name]
	v := value{origin: origin}
	switch {
	case n.Kind == jsondoc.Null:
		return
	case n.Kind == jsondoc.String:
		v.text = spec.Secret(n.Text)
		v.src = &jsondoc.Excerpt{Text: n.Text, Outer: src, At: n.Start + 1, Escaped: true}
	case native != "" && n.Kind == native:
		text := src.Text[n.Start:n.End]
		v.text = spec.Secret(text)
		v.src = &jsondoc.Excerpt{Text: text, Outer: src, At: n.Start}
	default:
		p.Report(jsonProblem(src, origin, n.Start, name, "expected a string, found "+article(n.Kind), ErrType))
		return
	}
	p.set(name, v)
}

// parse parses the JSON of src and reports what is wrong with it.
func (p *Parameters) parse(src *jsondoc.Excerpt, origin problem.Origin, path string) (jsondoc.Node, bool) {
	n, err := jsondoc.Parse(src.Text)
	if err != nil {
		p.Report(jsonProblem(src, origin, err.Offset, path, "invalid JSON: "+err.Text, err.Rule))
		return jsondoc.Node{}, false
	}
	return n, true
}

// reportDuplicates reports names that are given twice, also in another case.
func (p *Parameters) reportDuplicates(src *jsondoc.Excerpt, origin problem.Origin, path string, members []jsondoc.Member) {
	seen := map[string]int{}
	for _, m := range members {
		if p.full() {
			return
		}
		key := strings.ToUpper(m.Name)
		first, dup := seen[key]
		if !dup {
			seen[key] = m.Start
			continue
		}
		line, column := src.Position(first)
		p.Report(jsonProblem(src, origin, m.Start, join(path, m.Name),
			fmt.Sprintf("name given twice, first at %d:%d", line, column), ErrDuplicate))
	}
}

// jsonProblem is an error at an offset of src.
func jsonProblem(src *jsondoc.Excerpt, origin problem.Origin, offset int, path, message string, rule error) problem.Problem {
	line, column := src.Position(offset)
	return problem.Problem{Severity: problem.Error, Origin: origin, Path: path, Line: line, Column: column, Message: message, Rule: rule}
}

// join appends a member's name to a path.
func join(path, name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) || len(name) > 64 {
		name = problem.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// article puts "a" or "an" before a kind.
func article(k jsondoc.Kind) string {
	if k == jsondoc.Array || k == jsondoc.Object {
		return "an " + string(k)
	}
	if k == jsondoc.Null {
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
