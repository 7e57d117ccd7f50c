package filesystem

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelDevice is where the kernel's messages can be read, one with each read(2)
// (kernel documentation, ABI/testing/dev-kmsg).
const kernelDevice = "/dev/kmsg"

// Bounds of what is quoted of the kernel.
const (
	maxKernelLines = 3
	maxKernelText  = 400 // bytes
)

// kernelLog is a reader of what the kernel logs from a moment on.
type kernelLog struct{ fd int }

// openKernelLog begins at this moment. Where the log cannot be read, it stays empty.
func openKernelLog() *kernelLog {
	fd, err := unix.Open(kernelDevice, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &kernelLog{-1}
	}
	_, _ = unix.Seek(fd, 0, unix.SEEK_END)
	return &kernelLog{fd}
}

func (k *kernelLog) close() {
	if k.fd >= 0 {
		_ = unix.Close(k.fd)
	}
}

// explain adds to an error what the kernel said meanwhile of what went wrong.
func (k *kernelLog) explain(err error) error {
	if err == nil {
		return nil
	}
	if words := quote(k.records()); words != "" {
		return &kernelError{err, words}
	}
	return err
}

// kernelError is an error with the kernel's own words about it.
type kernelError struct {
	err   error
	words string
}

func (e *kernelError) Error() string { return e.err.Error() + " (kernel: " + e.words + ")" }
func (e *kernelError) Unwrap() error { return e.err }

// Unsupported reports whether err is of a mount that failed because the kernel of the
// helper does not know the file system, or a feature of it.
func Unsupported(err error) bool {
	if errors.Is(err, ErrFeature) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
		return true
	}
	k, ok := errors.AsType[*kernelError](err)
	return ok && strings.Contains(k.words, "unsupported")
}

// records returns the records since the last call.
func (k *kernelLog) records() []string {
	var records []string
	buf := make([]byte, 8<<10)
	for k.fd >= 0 && len(records) < 1000 {
		n, err := unix.Read(k.fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE): // some were overwritten
			continue
		case err != nil || n <= 0:
			return records
		}
		records = append(records, string(buf[:n]))
	}
	return records
}

// quote takes the first texts of warnings and errors out of records of the form
// "PRIORITY,…;TEXT" and further lines.
func quote(records []string) string {
	var texts []string
	for _, r := range records {
		head, text, ok := strings.Cut(r, ";")
		number, _, _ := strings.Cut(head, ",")
		priority, err := strconv.Atoi(number)
		const warning = 4 // of the levels of syslog(2), in the three lowest bits
		if !ok || err != nil || priority&7 > warning || len(texts) == maxKernelLines {
			continue
		}
		text, _, _ = strings.Cut(text, "\n")
		texts = append(texts, strings.TrimSpace(text))
	}
	words := strings.Join(texts, ", ")
	return strings.ToValidUTF8(words[:min(len(words), maxKernelText)], "")
}

// deviceSize returns the size of a device or file in bytes.
func deviceSize(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Seek(0, unix.SEEK_END)
}
