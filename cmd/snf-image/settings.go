package main

import (
	"log/slog"

	"snf-image/internal/host/config"
	"snf-image/internal/host/session"
)

// settings returns what sessions on this node have in common.
func settings(cfg *config.Config, log *slog.Logger) session.Settings {
	return session.Settings{Config: cfg, Release: version, Log: log, Node: session.ThisNode()}
}
