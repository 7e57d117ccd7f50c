package deploy

import (
	"errors"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/format"
	"snf-image/internal/host/source"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// openImage opens the image of the Spec, or checks its URL.
func (i *imaging) openImage() error {
	if err := format.Check(i.Spec.Format); err != nil {
		return &report.Failure{
			Kind: report.Usage, What: "choosing the image format", On: string(i.Spec.Format), Cause: err,
			Remedy: "convert the image with qemu-img convert -O raw",
		}
	}
	image, err := i.findImage()
	if err != nil {
		return err
	}
	i.image = image
	i.record.openedImage(i.Spec, image)
	return nil
}

func (i *imaging) findImage() (*source.Image, error) {
	if !fetch.IsURL(i.Spec.Image) {
		return i.localImage()
	}
	if err := i.Fetch.Check(i.Spec.Image); err != nil {
		return nil, fetchFailure(i.Spec.Image, err)
	}
	return &source.Image{Path: fetch.Mask(i.Spec.Image)}, nil
}

// localImage opens the image of the Spec on this node.
func (i *imaging) localImage() (*source.Image, error) {
	switch {
	case i.Store == nil && i.Spec.FromURL(spec.ImgID):
		return nil, &report.Failure{
			Kind: report.Usage, What: "opening the image", On: spec.ImgID,
			Cause:  errors.New("a URL named a path of this node"),
			Remedy: "name the image with --image, or have the server name one in IMAGE_DIR",
		}
	case i.Store == nil:
		return source.Open(i.Spec.Image)
	}
	image, warnings, err := i.Store.Open(i.Spec.Image, string(i.Spec.Format))
	for _, w := range warnings {
		i.warn("img_id: " + w)
	}
	return image, err
}
