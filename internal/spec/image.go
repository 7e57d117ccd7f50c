package spec

import (
	"regexp"
	"slices"
	"strings"
)

// buildImage sets Image and Format.
func (b *builder) buildImage() {
	switch b.in.Mode {
	case ModeCustomize:
		b.spec.Image = imageNull
	case ModeDeploy, ModeCheck:
		b.spec.Image = b.image()
	}
	b.spec.Format = b.format()
}

// requires says whether an image and its format must be given. What config_url
// will say is not known to ModeCheck, which never fetches it.
func (b *builder) requires() bool {
	url, _ := b.text(ConfigURL)
	return b.in.Mode == ModeDeploy || b.in.Mode == ModeCheck && url == ""
}

var urlScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// image checks img_id. The name of a file is left as it is; finding the file is
// not our business.
func (b *builder) image() string {
	id, ok := b.text(ImgID)
	scheme := strings.ToLower(strings.TrimSuffix(urlScheme.FindString(id), "://"))
	switch {
	case !ok || id == "":
		if b.requires() {
			b.report(Error, ErrRequired, ImgID, "no image is given", "set img_id (--image) to one, or to null to customise the disk as it is")
		}
	case strings.HasPrefix(id, "pithos:") || strings.HasPrefix(id, "pithosmap:"):
		b.report(Error, ErrImage, ImgID, "Pithos image stores are not supported", "export the image to a file in IMAGE_DIR")
	case strings.ContainsFunc(id, isControl):
		b.report(Error, ErrImage, ImgID, "control character in the image name", "")
	case b.Fetched(ImgID) && b.namesPath(id):
		b.report(Error, ErrOrigin, ImgID, "a path of this node, which parameters from a URL must not name",
			"name an image in IMAGE_DIR, a URL or null there, or the path with --image")
	case scheme == "file":
		b.report(Warning, ErrImage, ImgID, "file:// is an old name of local://", "write local://NAME")
	case scheme != "" && !slices.Contains([]string{"local", "http", "https", "ftp", "ftps"}, scheme):
		b.report(Error, ErrImage, ImgID, "unknown scheme "+shown(scheme), "give the name of a file, local://NAME, or a URL of http, https, ftp or ftps")
	}
	return id
}

// namesPath reports whether id can only be meant as a path of the node. Where a
// bare img_id may be a path, too, it is one only if the command line says it.
func (b *builder) namesPath(id string) bool {
	return strings.HasPrefix(strings.ToLower(id), "file:") ||
		b.in.ImagePaths && (strings.HasPrefix(id, "/") || strings.HasPrefix(id, "./") || strings.HasPrefix(id, "../"))
}

// format checks img_format.
func (b *builder) format() Format {
	name, ok := b.text(ImgFormat)
	if !ok {
		if b.in.DefaultFormat == "" && b.requires() {
			b.report(Error, ErrRequired, ImgFormat, "no image format is given", "set img_format, usually to diskdump")
		}
		return b.in.DefaultFormat
	}
	f, known := lookupFormat(name)
	switch {
	case !known:
		b.report(Error, ErrFormat, ImgFormat, "unknown image format "+shown(name), "use one of "+formatNames())
	case f.Missing && b.spec.Image != imageNull:
		b.missing(ImgFormat, "image format "+string(f.Name), "convert the image with qemu-img convert -O raw and use diskdump")
	}
	return f.Name
}
