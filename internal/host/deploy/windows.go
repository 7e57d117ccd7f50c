package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/config"
	"snf-image/internal/host/fetch"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/internal/timezone"
)

// maxAnswer bounds an answer file, in bytes.
const maxAnswer = 1 << 20

// answers are the answer files of Windows that do not come with the image: that of
// os_answer_file, and that of UNATTEND.
type answers struct{ given, node []byte }

// windows reports whether a family of systems is one of Windows.
func windows(family string) bool { return strings.HasPrefix(family, "windows") }

// readAnswers reads the answer files, before anything is written: which system the image
// holds is known only later.
func (r *run) readAnswers(ctx context.Context) (err error) {
	family, _ := r.Spec.Family()
	if family != "" && !windows(family) || !slices.Contains(r.plan.Tasks, spec.InstallUnattend) {
		return nil
	}
	if err := checkZone(family, r.Config); err != nil {
		return err
	}
	if at := r.Spec.AnswerFile; at != "" {
		if r.answers.given, err = r.readAnswer(ctx, at); err != nil {
			return answerFailure(spec.OSAnswerFile, fetch.Mask(at), err)
		}
	}
	if at := r.Config.Unattend; at != "" {
		if r.answers.node, err = readFile(at); err != nil {
			return answerFailure("UNATTEND", at, err)
		}
	}
	return nil
}

// CheckWindows returns what the configuration has that a Windows could not be deployed with by
// an instance's parameters.
// What only other systems have no use for does not matter where the system is named.
func CheckWindows(s *spec.Spec, c *config.Config) error {
	family, _ := s.Family()
	deployed := *s
	deployed.Mode = spec.ModeDeploy
	if family != "" && !windows(family) || s.Image == spec.NoImage || !slices.Contains(deployed.Tasks(), spec.InstallUnattend) {
		return nil
	}
	if c.Unattend != "" {
		if _, err := readFile(c.Unattend); err != nil {
			return answerFailure("UNATTEND", c.Unattend, err)
		}
	}
	return checkZone(family, c)
}

// checkZone checks WINDOWS_TIMEZONE for a Windows. A system that is not named may be another.
func checkZone(family string, c *config.Config) error {
	_, err := timezone.Lookup(c.WindowsTimezone)
	if err == nil || family == "" {
		return nil
	}
	return &report.Failure{
		Kind: report.Usage, What: "checking the time zone of Windows", On: c.Where("WINDOWS_TIMEZONE"), Cause: err, Remedy: "correct WINDOWS_TIMEZONE",
	}
}

func answerFailure(name, at string, err error) error {
	remedy := fetch.Remedy(err)
	if remedy == "" {
		remedy = "correct " + name
	}
	return &report.Failure{Kind: report.Usage, What: "reading the answer file of " + name, On: at, Cause: err, Remedy: remedy}
}

// readAnswer reads the answer file at a URL, or at a path of the command line.
func (r *run) readAnswer(ctx context.Context, at string) ([]byte, error) {
	if !strings.Contains(at, "://") {
		return readFile(at)
	}
	stream, err := r.Fetch.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	defer stream.Close() //nolint:errcheck // all of it was read, or it failed
	return bounded(stream)
}

// readFile reads a file without waiting for what is none.
func readFile(at string) ([]byte, error) {
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is not a regular file"))
	}
	return bounded(f)
}

func bounded(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	if err == nil && len(data) == 0 {
		err = errors.New("it is empty")
	}
	return data, err
}

// windowsCredentials are the secrets for a Windows: it has no use for a hash, and its
// passwords are set by itself, from the clear text.
func (r *run) windowsCredentials() (*spec.Credentials, error) {
	if r.Spec.PasswordHash != nil {
		return nil, &report.Failure{
			Kind: report.Usage, What: "setting the password", On: spec.ImgPasswdHash,
			Cause: errors.New("the system of the image is Windows, which does not take a crypt(3) hash"), Remedy: "give the password itself, by img_passwd",
		}
	}
	if r.Spec.Boolean(spec.PropCloudInit) && !r.Spec.LeavesCloudInit() {
		return nil, &report.Failure{
			Kind: report.Usage, What: "configuring the machine", On: spec.PropCloudInit,
			Cause:  errors.New("the system of the image is Windows, where cloudbase-init reads what it is told from a volume of its own only: not in this version"),
			Remedy: "leave the property CLOUD_INIT out: Windows is configured by its answer file then",
		}
	}
	c := r.Spec.Credentials(nil, nil)
	c.Password, c.ProductKey = r.Spec.Password, r.Spec.ProductKey
	c.AnswerFile, c.NodeAnswer = r.answers.given, r.answers.node
	r.redactor.AddCredentials(c)
	return &c, nil
}
