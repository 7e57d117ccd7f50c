// Package script makes the scripts that Windows runs while it is set up: the passwords of
// accounts, the size of the file system, the network, and what cleans up behind them.
//
// It is pure. Every script is ASCII with the line ends of Windows; what comes from outside
// is quoted so that it arrives at the program it is for as it is, whatever it holds, or is
// refused.
package script

import (
	"errors"
	"strings"
)

// Directory holds the scripts, and Complete is the one that Windows runs when its set-up is
// complete. Paths are those of the image; public names are for answer files that refer to
// them.
const (
	Directory   = "/Windows/SnfScripts"
	Passwords   = Directory + "/ChangeAdminPassword.cmd" // public
	Extend      = Directory + "/ExtendFilesystem"        // public, for diskpart
	Network     = Directory + "/ConfigureNetwork.cmd"
	NetworkPS   = Directory + "/ConfigureNetwork.ps1"
	Remote      = Directory + "/RemoteDesktop.cmd"
	Recovery    = Directory + "/RecoveryEnvironment.cmd"
	Complete    = "/Windows/Setup/Scripts/SetupComplete.cmd"
	Log         = "/Windows/Panther/snf-image.log"
	logVariable = `"%SystemRoot%\Panther\snf-image.log"`
)

// ErrUnquotable is what no script of this system can hold.
var ErrUnquotable = errors.New("a script of Windows cannot hold it")

// head begins each script.
const head = "@echo off\nrem Made by snf-image; SetupComplete.cmd removes it.\nsetlocal EnableExtensions DisableDelayedExpansion\n"

// windows returns a text with the line ends of Windows.
func windows(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

// Path returns a path of the image as Windows writes it.
func Path(p string) string { return `C:` + strings.ReplaceAll(p, "/", `\`) }
