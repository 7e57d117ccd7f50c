package parameters

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"snf-image/internal/host/builder"
	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/collection"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/imageref"
	"snf-image/internal/host/problem"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// resolve finds the image that img_id names in the catalogue, puts what it stands for in its
// place, and adds what is known about the image. bare says that a name without a scheme may
// be one of the catalogue, too.
func (r *Reader) resolve(params *builder.Parameters, bare bool) {
	if r.Config == nil {
		return
	}
	id, _ := params.Lookup(spec.ImgID)
	ref, err := imageref.Parse(strings.TrimSpace(id.Reveal()))
	if err != nil {
		return // which the builder says
	}
	bare = bare && !params.Fetched(spec.ImgID)
	switch {
	case ref.Kind == imageref.Catalogue:
		err = r.choose(params, ref)
	case ref.Kind == imageref.Bare && bare && r.nowhere(ref, params):
		var known *catalogue.Catalogue
		if known, err = catalogue.Load(r.Config.Arch, r.Config.CatalogueDirs...); err == nil && known.Lookup(ref.Name) != nil {
			err = r.choose(params, ref)
		}
	case ref.Kind == imageref.Bare, ref.Kind == imageref.Stored:
		err = r.addMeta(params, ref, bare)
	}
	if err == nil {
		return
	}
	p := problem.Problem{Severity: problem.Error, Path: spec.ImgID, Message: err.Error(), Rule: builder.ErrImage}
	if f, ok := errors.AsType[*report.Failure](err); ok {
		p.Message, p.Remedy = f.What+", on "+f.On+": "+f.Cause.Error(), f.Remedy
	}
	params.Report(p)
}

// nowhere reports whether a bare name is neither a path nor a file in IMAGE_DIR.
func (r *Reader) nowhere(ref imageref.Ref, params *builder.Parameters) bool {
	if _, err := os.Lstat(ref.Name); err == nil || ref.IsPath() {
		return false
	}
	format, _ := params.Lookup(spec.ImgFormat)
	_, err := Images(r.Config).Where(ref.Name, format.Reveal())
	return errors.Is(err, fs.ErrNotExist)
}

// choose takes an entry of the catalogue: the image that lies here, else its URL.
func (r *Reader) choose(params *builder.Parameters, ref imageref.Ref) error {
	known, err := catalogue.Load(r.Config.Arch, r.Config.CatalogueDirs...)
	if err != nil {
		return err
	}
	e, err := known.Find(ref.Name)
	if err != nil {
		return err
	}
	held, err := collection.In(r.Config.ImageDir).Get(e.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Chosen = &Chosen{e, held}
	id := catalogue.Mirror(r.Config.CatalogueMirror, e.URL)
	switch {
	case held != nil && held.Image != "":
		id = "local://" + held.InStore()
	case held != nil:
		id = catalogue.Mirror(r.Config.CatalogueMirror, held.URL)
		r.Log.Info(e.Name + " is pinned and not pulled: it comes from " + fetch.Mask(id))
	default:
		r.Log.Info(e.Name + " is not pulled: it comes from " + fetch.Mask(id))
	}
	if ref.Digest.Name != "" {
		id += "#" + ref.Digest.Name + "=" + ref.Digest.Hex
	}
	origin := problem.Origin(e.File)
	params.Resolve(id, string(e.Format), origin)
	addProperties(params, e.Properties, origin)
	if e.Ended(time.Now()) {
		params.Report(problem.Problem{
			Severity: problem.Warning, Origin: origin, Path: "END_OF_LIFE", Rule: builder.ErrImage,
			Message: fmt.Sprintf("the support of %s ended on %s", e.Description, e.EndOfLife.Format(time.DateOnly)),
		})
	}
	return nil
}

func addProperties(params *builder.Parameters, properties map[string]string, origin problem.Origin) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		params.AddImageProperty(name, properties[name], origin)
	}
}

// addMeta adds the properties that snf-mkimage wrote beside an image, if it did.
func (r *Reader) addMeta(params *builder.Parameters, ref imageref.Ref, bare bool) error {
	file := ref.Name
	if _, err := os.Lstat(file); !bare || ref.Kind == imageref.Stored || err != nil && !ref.IsPath() {
		format, _ := params.Lookup(spec.ImgFormat)
		if file, err = Images(r.Config).Where(ref.Name, format.Reveal()); err != nil {
			return nil //nolint:nilerr // whoever opens the image says so
		}
	}
	data, err := readBeside(file + ".meta")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var properties map[string]string
	if err == nil {
		properties, err = catalogue.ParseMeta(data)
	}
	if err != nil {
		return fmt.Errorf("reading %s.meta: %w", file, err)
	}
	addProperties(params, properties, problem.Origin(file+".meta"))
	return nil
}

// readBeside reads a small file beside an image, and follows no link there: others may be
// allowed to write to IMAGE_DIR.
func readBeside(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, report.Bare(err)
	}
	dir, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, report.Bare(err)
	}
	defer dir.Close() //nolint:errcheck // only read
	return shellfile.Within(dir, filepath.Base(file))
}
