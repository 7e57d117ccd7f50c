package builder

import (
	"slices"
	"strings"

	"snf-image/internal/host/jsondoc"
	"snf-image/internal/host/problem"
	"snf-image/internal/spec"
)

// buildProperties merges the properties that the catalogue, or a file beside the image,
// knows, those of the image, of the instance and those given one by one; the later win.
func (b *builder) buildProperties() {
	b.props = map[string]property{}
	b.spec.ImageProperties = b.mergeProperties(slices.Concat(b.known, b.propertyObject(spec.ImgProperties)))
	b.spec.InstanceProperties = b.mergeProperties(append(b.propertyObject(spec.InstProperties), b.properties...))
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
	if root.Kind != jsondoc.Object {
		b.Report(jsonProblem(src, v.origin, root.Start, parameter, "expected a JSON object, found "+article(root.Kind), ErrType))
		return nil
	}
	b.reportDuplicates(src, v.origin, parameter, root.Members)
	var found []property
	for _, m := range root.Members {
		if b.full() {
			break
		}
		path := join(parameter, m.Name)
		switch m.Value.Kind {
		case jsondoc.Null:
		case jsondoc.Array, jsondoc.Object:
			b.Report(jsonProblem(src, v.origin, m.Value.Start, path, "expected a string, found "+article(m.Value.Kind), ErrType))
		default:
			at := &jsondoc.Excerpt{Text: m.Value.Text, Outer: src, At: m.Value.Start}
			found = append(found, property{strings.ToUpper(m.Name), m.Value.Text, v.origin, at, path, v.hint})
		}
	}
	return found
}

// reportProperty adds a problem with the value of a property.
func (b *builder) reportProperty(s problem.Severity, rule error, name, message, remedy string) {
	p := b.props[name]
	found := problem.Problem{Severity: s, Origin: p.origin, Path: p.path, Message: message, Remedy: remedy, Rule: rule}
	if p.src != nil {
		found.Line, found.Column = p.src.Position(0)
	}
	if p.path == "" {
		found.Path = name
	}
	b.Report(found)
}
