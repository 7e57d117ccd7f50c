package builder

import (
	"errors"
	"strings"

	"snf-image/internal/host/imageref"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/values"
	"snf-image/internal/spec"
)

// buildImage sets Image and Format.
func (b *builder) buildImage() {
	switch b.in.Mode {
	case spec.ModeCustomize:
		b.spec.Image = spec.NoImage
	case spec.ModeDeploy, spec.ModeCheck:
		b.spec.Image = b.image()
	}
	b.spec.Format = b.format()
}

// requires reports whether an image and its format must be given. What config_url
// will say is not known to ModeCheck, which never fetches it.
func (b *builder) requires() bool {
	url, _ := b.text(spec.ConfigURL)
	return b.in.Mode == spec.ModeDeploy || b.in.Mode == spec.ModeCheck && url == ""
}

// image checks img_id. The name of a file is left as it is; finding the file is
// not our business.
func (b *builder) image() string {
	id, ok := b.text(spec.ImgID)
	ref, err := imageref.Parse(id)
	switch {
	case !ok || id == "":
		if b.requires() {
			b.report(problem.Error, ErrRequired, spec.ImgID, "no image is given", "set img_id (--image) to one, or to null to customize the disk as it is")
		}
	case errors.Is(err, imageref.ErrPithos):
		b.report(problem.Error, ErrImage, spec.ImgID, err.Error(), "export the image to a file in IMAGE_DIR")
	case strings.ContainsFunc(id, values.IsControl):
		b.report(problem.Error, ErrImage, spec.ImgID, "control character in the image name", "")
	case b.Fetched(spec.ImgID) && (ref.Old || strings.HasPrefix(strings.ToLower(id), "file:") || b.in.ImagePaths && ref.IsPath()):
		b.report(problem.Error, ErrOrigin, spec.ImgID, "a path of this node, which parameters from a URL must not name",
			"name an image in IMAGE_DIR, a URL or null there, or the path with --image")
	case ref.Old:
		b.report(problem.Warning, ErrImage, spec.ImgID, "file:// is an old name of local://", "write local://NAME")
	case err != nil:
		b.report(problem.Error, ErrImage, spec.ImgID, err.Error(), "give the name of a file, local://NAME, catalogue:NAME, or a URL of http, https, ftp or ftps")
	}
	return id
}

// format checks img_format.
func (b *builder) format() spec.Format {
	name, ok := b.text(spec.ImgFormat)
	if !ok {
		if b.in.DefaultFormat == "" && b.requires() {
			b.report(problem.Error, ErrRequired, spec.ImgFormat, "no image format is given", "set img_format, usually to diskdump")
		}
		return b.in.DefaultFormat
	}
	f, known := values.LookupFormat(name)
	if !known {
		b.report(problem.Error, ErrFormat, spec.ImgFormat, "unknown image format "+problem.Quote(name), "use one of "+values.FormatNames())
	}
	return f.Name
}
