package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"snf-image/internal/host/shellfile"
)

// ErrMeta means that a file is not what snf-mkimage writes beside an image.
var ErrMeta = errors.New("it is neither lines of NAME=value nor a JSON object with properties")

// ParseMeta reads the properties in the file NAME.meta that snf-mkimage writes beside an
// image: lines of NAME=value, whose value is everything up to the end of the line, or, of
// later versions, a JSON object that has them as "properties", or only them.
func ParseMeta(data []byte) (map[string]string, error) {
	if len(data) > shellfile.MaxFile {
		return nil, errors.New("it has more than 1 MiB")
	}
	found := map[string]string{}
	add := func(name, value string) error {
		name = strings.ToUpper(strings.TrimSpace(name))
		if !propertyName.MatchString(name) {
			return fmt.Errorf("%.64q cannot be the name of a property", name)
		}
		if _, twice := found[name]; twice || len(found) == maxProperties {
			return fmt.Errorf("property %s is set twice, or is one of more than %d", name, maxProperties)
		}
		found[name] = value
		return nil
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '{' {
		return found, metaJSON(text, add)
	}
	for l := range strings.Lines(string(data)) {
		l = strings.TrimRight(l, "\r\n")
		if strings.TrimSpace(l) == "" {
			continue
		}
		name, value, ok := strings.Cut(l, "=")
		if !ok {
			return nil, ErrMeta
		}
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func metaJSON(text []byte, add func(name, value string) error) error {
	var whole map[string]json.RawMessage
	if json.Unmarshal(text, &whole) != nil {
		return ErrMeta
	}
	if inner, ok := whole["properties"]; ok {
		whole = nil
		if json.Unmarshal(inner, &whole) != nil {
			return ErrMeta
		}
	}
	for name, raw := range whole {
		var value string
		if json.Unmarshal(raw, &value) != nil {
			value = string(bytes.TrimSpace(raw)) // a number or a boolean stands for its text
			if strings.ContainsAny(value[:1], "{[n") {
				continue // what image stores keep beside
			}
		}
		if err := add(name, value); err != nil {
			return err
		}
	}
	return nil
}
