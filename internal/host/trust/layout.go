package trust

// layout is one way vendors publish what proves an image. In the names, % stands for the
// name of the image's file.
type layout struct {
	sums string // the file of checksums
	// signatures are the names of detached signatures over sums, besides one inside it.
	signatures []string
	alone      bool // sums is about this image only, and may hold a digest without its name
	vendors    string
}

// layouts lists what lies beside an image in the order it is looked for: first what is about
// the one image, the stronger digest before the weaker. The facts are from the vendors'
// mirrors.
var layouts = []layout{
	{"%.sha512", sigs("%.sha512"), true, "Alpine"},
	{"%.SHA512", sigs("%.SHA512"), true, ""},
	{"%.sha256", sigs("%.sha256"), true, "openSUSE, systemd"},
	{"%.SHA256", sigs("%.SHA256"), true, "Arch Linux"},
	{"%.sha512sum", sigs("%.sha512sum"), true, ""},
	{"%.sha256sum", sigs("%.sha256sum"), true, ""},
	{"%.SHA256SUM", sigs("%.SHA256SUM"), true, "CentOS Stream"},
	{"%.CHECKSUM", sigs("%.CHECKSUM"), true, "Rocky Linux"},
	{"%.DIGESTS", sigs("%.DIGESTS"), true, "Flatcar"},
	{"SHA512SUMS", sigs("SHA512SUMS"), false, "Debian"},
	{"SHA256SUMS", sigs("SHA256SUMS"), false, "Ubuntu, Amazon Linux, systemd"},
	{"CHECKSUM", sigs("CHECKSUM"), false, "AlmaLinux, CentOS Stream, Rocky Linux"},
	{"CHECKSUM.SHA512", sigs("CHECKSUM.SHA512"), false, "FreeBSD"},
	{"CHECKSUM.SHA256", sigs("CHECKSUM.SHA256"), false, "FreeBSD"},
}

// onImage lists signatures over the image itself: Arch Linux and Flatcar publish .sig,
// Alpine .asc, and minisign makes .minisig.
var onImage = []string{"%.sig", "%.asc", "%.gpg", "%.minisig"}

// sigs returns the names signatures over a file go by.
func sigs(file string) []string {
	return []string{file + ".gpg", file + ".asc", file + ".sig", file + ".sign", file + ".minisig"}
}
