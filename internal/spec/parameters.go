package spec

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// ParameterKind is the form of a parameter's value.
type ParameterKind string

// The kinds of parameter.
const (
	TextParameter   ParameterKind = "text"
	SecretParameter ParameterKind = "secret" // never quoted in a message
	ObjectParameter ParameterKind = "JSON object"
	ArrayParameter  ParameterKind = "JSON array"
)

// Parameter describes one OS parameter (interface.md section 2).
type Parameter struct {
	Name string
	Kind ParameterKind
	Doc  string // one line for parameters.list and the reference
	// Missing is what is not in this version about it, empty when nothing is.
	Missing string
}

// Names of the OS parameters.
const (
	ImgID           = "img_id"
	ImgFormat       = "img_format"
	ImgPasswd       = "img_passwd"
	ImgPasswdHash   = "img_passwd_hash"
	AuthKeys        = "auth_keys"
	ImgProperties   = "img_properties"
	InstProperties  = "inst_properties"
	ImgPersonality  = "img_personality"
	ConfigURL       = "config_url"
	OSProductKey    = "os_product_key"
	OSAnswerFile    = "os_answer_file"
	CloudUserdata   = "cloud_userdata"
	imageNull       = "null"
	maxTextValue    = 64 << 10 // bytes of a parameter that is not JSON
	maxTextUserdata = 16 << 20
)

// AllParameters returns the OS parameters in the order they are documented.
func AllParameters() []Parameter {
	return []Parameter{
		{ImgID, TextParameter, "the image: a file in IMAGE_DIR (NAME or local://NAME), an http, https, ftp or ftps URL, or null to customise the disk as it is", ""},
		{ImgFormat, TextParameter, "how the image encodes a disk: diskdump, extdump or ntfsdump", "extdump, ntfsdump"},
		{ImgPasswd, SecretParameter, "password for the users in USERS; excludes img_passwd_hash", ""},
		{ImgPasswdHash, SecretParameter, "crypt(3) hash of the password for the users in USERS", ""},
		{AuthKeys, TextParameter, "OpenSSH authorized_keys lines for the users in USERS", ""},
		{ImgProperties, ObjectParameter, "image properties, names in any case", ""},
		{InstProperties, ObjectParameter, "properties of this instance; they override img_properties", ""},
		{ImgPersonality, ArrayParameter, "files to inject: path, contents (base64), owner, group, mode (decimal)", ""},
		{ConfigURL, TextParameter, "URL of a JSON object with any of these parameters, fetched exactly once; what it delivers names no path of the node", ""},
		{OSProductKey, SecretParameter, "Windows product key", "Windows"},
		{OSAnswerFile, TextParameter, "URL of a Windows answer file; it wins over one inside the image", "Windows"},
		{CloudUserdata, SecretParameter, "base64 of cloud-init user-data", "cloud-init mode"},
	}
}

// isParameter says whether name, in lower case, is an OS parameter.
func isParameter(name string) bool {
	return slices.ContainsFunc(AllParameters(), func(p Parameter) bool { return p.Name == name })
}

// parameterNames returns the names of the OS parameters.
func parameterNames() []string {
	var names []string
	for _, p := range AllParameters() {
		names = append(names, p.Name)
	}
	return names
}

// value is the raw text of a parameter.
type value struct {
	text   Secret
	origin Origin
	// src places the text in its file; nil when the text came by itself.
	src *source
	// fetched says that a URL delivered the value.
	fetched bool
	// hint says that the value only describes the machine and asks for nothing.
	hint bool
}

// source returns where the text of v stands.
func (v value) source() *source {
	if v.src != nil {
		return v.src
	}
	return &source{text: v.text.Reveal()}
}

// property is a property given by itself, as with --property.
type property struct {
	name   string
	text   string
	origin Origin
	src    *source
	path   string
	hint   bool // see value
}

// injected is a file given by itself, as with --file.
type injected struct {
	file   File
	origin Origin
}

// Parameters collects raw values from the sources in the order of their
// precedence: what is set later wins. A value that is set but empty is not the
// same as one that is not set. The zero value is empty and ready to use.
type Parameters struct {
	values     map[string]value
	properties []property
	files      []injected
	problems   Problems
	fetching   bool // what is set now is from a URL
}

// Format writes a placeholder whatever the verb is: fmt would reach into the
// unexported fields past the methods of Secret.
func (Parameters) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[parameters]") }

// Set gives the parameter name, in any case, a value. Unknown names become a
// warning of Build.
func (p *Parameters) Set(name, text string, origin Origin) {
	p.set(name, value{text: Secret(text), origin: origin})
}

// SetHint is Set for a value of the node's configuration that is there for new
// machines: on a living one it only tells how to do what is asked for.
func (p *Parameters) SetHint(name, text string, origin Origin) {
	p.set(name, value{text: Secret(text), origin: origin, hint: true})
}

func (p *Parameters) set(name string, v value) {
	name = strings.ToLower(name)
	if !isParameter(name) {
		p.Report(Problem{
			Severity: Warning, Origin: v.origin, Rule: ErrUnknownParameter,
			Message: "unknown parameter " + shown(name) + " is ignored", Remedy: didYouMean(name, parameterNames()),
		})
		return
	}
	if p.values == nil {
		p.values = map[string]value{}
	}
	v.fetched = v.fetched || p.fetching
	p.values[name] = v
}

// SetProperty gives one property a value that wins over those in
// img_properties and inst_properties.
func (p *Parameters) SetProperty(name, text string, origin Origin) {
	p.properties = append(p.properties, property{name: strings.ToUpper(name), text: text, origin: origin, path: name})
}

// AddFile adds a file to those of img_personality. A later file wins over an
// earlier one with the same path.
func (p *Parameters) AddFile(f File, origin Origin) {
	p.files = append(p.files, injected{f, origin})
}

// maxProblems bounds how many problems are reported. Finding the line of one in
// a large text takes a while, and the text may be made to have many.
const maxProblems = 100

// Report adds a problem found outside, so that Build returns it with its own.
// The last one there is room for is always an error that says so.
func (p *Parameters) Report(problem Problem) {
	switch {
	case p.full():
	case len(p.problems) == maxProblems-1:
		p.problems = append(p.problems, Problem{
			Severity: Error, Rule: ErrTooLarge,
			Message: fmt.Sprintf("more than %d problems, the others are not shown", maxProblems-1),
		})
	default:
		p.problems = append(p.problems, problem)
	}
}

// full says that looking for more problems is of no use.
func (p *Parameters) full() bool { return len(p.problems) == maxProblems }

// Lookup returns the value of a parameter and whether it is set.
func (p *Parameters) Lookup(name string) (Secret, bool) {
	v, ok := p.values[name]
	return v.text, ok
}

// Fetched reports whether the value of a parameter was delivered by a URL. Such a
// value is trusted less than one of the command line or of Ganeti.
func (p *Parameters) Fetched(name string) bool { return p.values[name].fetched }
