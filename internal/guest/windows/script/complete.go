package script

import (
	"bytes"
	"slices"
	"strings"
)

// What stands around our part of SetupComplete.cmd.
const (
	begin = "@rem snf-image: begin"
	end   = "rem snf-image: end"
	guard = " & rem snf-image: guard"
)

// blank is what may end a line, and the mark of DOS for the end of a file.
const blank = " \t\r\x1a"

// Around the script of the image: it runs in a cmd.exe of its own, by this same file, so that
// our part runs whatever it ends with.
const (
	before = `@if not defined SNF_IMAGE_OWN (set SNF_IMAGE_OWN=1&"%ComSpec%" /d /c ""%~f0" %*"&set SNF_IMAGE_OWN=&goto snf_image)` + guard
	behind = `@if defined SNF_IMAGE_OWN exit` + guard
)

// SetupComplete adds to the script that Windows runs when its set-up is complete, or makes
// it: what was deferred runs, then the scripts with passwords, and whatever is at one of the
// paths that an answer file may have, are overwritten and removed. What it added before is replaced.
func SetupComplete(old []byte, answers []string) []byte {
	own := strings.TrimRight(withoutOurs(old), blank+"\n")
	text := ""
	if own != "" {
		text = before + "\n" + own + "\n" + behind + "\n"
	}
	wiped := ""
	for _, p := range answers {
		wiped += `call :snf_wipe "` + onDrive(p) + "\"\n"
	}
	for _, p := range append(slices.Clone(answers), Passwords) {
		wiped += "call :snf_aside " + onDrive(p) + ".bak.*\n"
	}
	return windows(text + begin + "\n:snf_image\n" + strings.Replace(complete, "ANSWERS\n", wiped, 1) + end + "\n")
}

// onDrive returns a path of the image as a script writes it, whatever the letter of the drive.
func onDrive(p string) string { return "%SystemDrive%" + strings.ReplaceAll(p, "/", `\`) }

// Completes reports whether SetupComplete has added to the script.
func Completes(data []byte) bool {
	return bytes.Contains(data, []byte(begin+"\r\n")) && bytes.Contains(data, []byte("\n"+end+"\r\n"))
}

// withoutOurs returns the script of the image, with line ends of Unix.
func withoutOurs(old []byte) string {
	old = bytes.ReplaceAll(bytes.TrimPrefix(old, []byte{0xef, 0xbb, 0xbf}), []byte("\r\n"), []byte("\n"))
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(old)) {
		text := strings.TrimRight(line, blank+"\n") // as the last one is when it is read again
		switch {
		case text == begin:
			inside = true
		case text == end:
			inside = false
		case !inside && !strings.HasSuffix(text, guard):
			out.WriteString(line)
		}
	}
	return out.String()
}

// complete is our part. Accounts that the answer file made have their password set now, and
// that of others is what it was set to, whatever the answer file did meanwhile. What
// overwrites a file keeps its place: first its clusters become zero, and then it gets
// another content of at least its length. Answer files that were set aside are of the image,
// and may hold passwords, too, and so may those that were injected afterwards, the script that an
// injected one took the place of, and the second copy that newer versions of Windows make of the
// answer file in force. Where the directory is gone all of that was done: somebody has sealed the
// machine again, and what lies there is theirs. A pattern does not find what is hidden, and in quotes wine finds nothing.
const complete = `@echo off
setlocal EnableExtensions DisableDelayedExpansion
set "SNF=%SystemRoot%\SnfScripts"
if not exist "%SNF%" exit /b 0
if exist "%SNF%\ChangeAdminPassword.cmd" call "%SNF%\ChangeAdminPassword.cmd"
call :snf_wipe "%SNF%\ChangeAdminPassword.cmd"
call :snf_wipe "%SystemRoot%\Panther\unattend-original.xml"
ANSWERS
if exist "%SNF%\RecoveryEnvironment.cmd" call "%SNF%\RecoveryEnvironment.cmd"
if exist "%SNF%\ConfigureNetwork.cmd" call "%SNF%\ConfigureNetwork.cmd"
if exist "%SNF%\RemoteDesktop.cmd" call "%SNF%\RemoteDesktop.cmd"
del /f /q "%SNF%\ExtendFilesystem" >nul 2>&1
rd /s /q "%SNF%" >nul 2>&1
endlocal
exit /b 0
:snf_aside
attrib -r -s -h %1 >nul 2>&1
for %%F in (%1) do call :snf_wipe "%%F"
exit /b 0
:snf_wipe
if not exist "%~1" exit /b 0
attrib -r -s -h "%~1" >nul 2>&1
set "SNF_SIZE=0"
for %%F in ("%~1") do set "SNF_SIZE=%%~zF"
fsutil file setzerodata offset=0 length=%SNF_SIZE% "%~1" >nul 2>&1
>"%~1" (for /l %%I in (0,64,%SNF_SIZE%) do @echo 00000000000000000000000000000000000000000000000000000000000000)
del /f /q "%~1"
exit /b 0
`
