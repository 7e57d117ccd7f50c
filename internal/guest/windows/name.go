package windows

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
)

// computerName is what Windows takes for the name of a computer; digits alone it does not.
var computerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,15}$`)

// ComputerName returns the name of the computer for that of the instance: its first label.
func ComputerName(instance string) (string, error) {
	name, _, _ := strings.Cut(instance, ".")
	if !computerName.MatchString(name) || strings.Trim(name, "0123456789") == "" {
		return "", outcome.Advise(
			fmt.Errorf("%.80q is not the name of a computer for Windows: 1 to 15 of A-Z a-z 0-9 - _, not digits alone", name),
			"choose another instance name, or leave the task AssignHostname out",
		)
	}
	return name, nil
}

// SetName has the answer file give the computer the name of the instance.
func SetName(g system.Guest, s System, instance string) error {
	name, err := ComputerName(instance)
	if err != nil {
		return err
	}
	return advise(complete(g, answer.Completion{Architecture: s.Architecture, ComputerName: name}))
}

// advise adds what to do about an answer file that cannot be completed.
func advise(err error) error {
	if errors.Is(err, answer.ErrRefused) {
		return outcome.Advise(err, "correct that answer file")
	}
	return err
}
