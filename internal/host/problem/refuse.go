package problem

import (
	"errors"
	"fmt"
	"log/slog"

	"snf-image/internal/report"
)

// Refuse makes one failure of the errors among the problems, which were found doing what.
// Of several it logs each, and the failure names the first. It returns nil for warnings
// alone.
func Refuse(log *slog.Logger, what string, problems List) error {
	errs := problems.Errors()
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	if len(errs) == 1 {
		return &report.Failure{Kind: report.Usage, What: what, On: first.Where(), Cause: errors.New(first.Message), Remedy: first.Remedy}
	}
	for _, e := range errs {
		log.Error(e.Error())
	}
	more := fmt.Sprintf("%d more problems", len(errs)-1)
	if len(errs) == 2 {
		more = "1 more problem"
	}
	return &report.Failure{
		Kind: report.Usage, What: what, On: first.Where(),
		Cause: fmt.Errorf("%s, and %s", first.Message, more), Remedy: "fix the problems listed above",
	}
}
