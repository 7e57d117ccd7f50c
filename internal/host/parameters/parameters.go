// Package parameters collects the parameters of a deployment from everywhere they may
// stand, and has the builder make a Spec of them. Their precedence has its home here, the
// strongest first:
//
//   - command line: flags, --params, config_url, configuration;
//   - Ganeti: config_url, the OSP_ variables, the variant, configuration.
//
// It reads the files that flags name, each once, and opens config_url once, and only when
// nothing else is wrong: some servers answer once. It writes nothing.
package parameters

import (
	"io"
	"log/slog"

	"snf-image/internal/host/config"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/problem"
)

// Reader reads parameters on a node.
type Reader struct {
	Config *config.Config // nil when it is invalid, which is among the problems of a Call
	Client *fetch.Client  // opens URLs; nil without a Config
	Stdin  io.Reader      // for a file called "-"
	Log    *slog.Logger   // gets every warning, and every error when there are several

	// Chosen is the image of the catalogue that img_id stands for, nil for another image.
	Chosen *Chosen

	// Warnings are those that Log got, for the report and the end of the log.
	Warnings []string
}

// warn passes the warnings among the problems on.
func (r *Reader) warn(problems problem.List) {
	for _, w := range problems.Warnings() {
		r.Log.Warn(w.Error())
		r.Warnings = append(r.Warnings, w.Error())
	}
}
