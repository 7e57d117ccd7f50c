package spec

import (
	"slices"
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

// Parameter describes one OS parameter (docs/reference.md, OS parameters).
type Parameter struct {
	Name string
	Kind ParameterKind
	Doc  string // one line for parameters.list and the reference
	// Missing is what is not in this version about it, empty when nothing is.
	Missing string
}

// Names of the OS parameters.
const (
	ImgID          = "img_id"
	ImgFormat      = "img_format"
	ImgPasswd      = "img_passwd"
	ImgPasswdHash  = "img_passwd_hash"
	AuthKeys       = "auth_keys"
	ImgProperties  = "img_properties"
	InstProperties = "inst_properties"
	ImgPersonality = "img_personality"
	ConfigURL      = "config_url"
	OSProductKey   = "os_product_key"
	OSAnswerFile   = "os_answer_file"
	CloudUserdata  = "cloud_userdata"
)

// NoImage as img_id means the disk as it is.
const NoImage = "null"

// AllParameters returns the OS parameters in the order they are documented.
func AllParameters() []Parameter {
	return []Parameter{
		{ImgID, TextParameter, "the image: a file in IMAGE_DIR (NAME or local://NAME), catalogue:NAME, an http, https, ftp or ftps URL, or null to customize the disk as it is; #sha256=HEX or #sha512=HEX behind it is the digest it must have", ""},
		{ImgFormat, TextParameter, "how the image encodes a disk: diskdump, raw, qcow2, vmdk, vhd, vhdx, vdi, auto, extdump or ntfsdump", ""},
		{ImgPasswd, SecretParameter, "password for the users in USERS; excludes img_passwd_hash", ""},
		{ImgPasswdHash, SecretParameter, "crypt(3) hash of the password for the users in USERS", ""},
		{AuthKeys, TextParameter, "OpenSSH authorized_keys lines for the users in USERS", ""},
		{ImgProperties, ObjectParameter, "image properties, names in any case", ""},
		{InstProperties, ObjectParameter, "properties of this instance; they override img_properties", ""},
		{ImgPersonality, ArrayParameter, "files to inject: path, contents (base64), owner, group, mode (decimal)", ""},
		{ConfigURL, TextParameter, "URL of a JSON object with any of these parameters, fetched exactly once; what it delivers names no path of the node", ""},
		{OSProductKey, SecretParameter, "Windows product key", ""},
		{OSAnswerFile, TextParameter, "URL of a Windows answer file; it wins over one inside the image", ""},
		{CloudUserdata, SecretParameter, "base64 of cloud-init user-data", ""},
	}
}

// IsParameter reports whether name, in lower case, is an OS parameter.
func IsParameter(name string) bool {
	return slices.ContainsFunc(AllParameters(), func(p Parameter) bool { return p.Name == name })
}

// ParameterNames returns the names of the OS parameters.
func ParameterNames() []string {
	var names []string
	for _, p := range AllParameters() {
		names = append(names, p.Name)
	}
	return names
}
