package reportfile

import (
	"fmt"
	"os"
	"path/filepath"

	"snf-image/internal/report"
)

// Distinct refuses a report file that is also one of the others; empty names are ignored.
func Distinct(path string, others ...string) error {
	for _, other := range others {
		if other != "" && samePath(path, other) {
			return &report.Failure{
				Kind: report.Usage, What: "preparing the report", On: path,
				Cause: fmt.Errorf("it would replace %s", other), Remedy: "name another file",
			}
		}
	}
	return nil
}

// samePath reports whether two paths lead to one file, there or yet to be made.
func samePath(a, b string) bool {
	stA, errA := os.Stat(a)
	stB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(stA, stB)
	}
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errA == nil && errB == nil && absA == absB
}
