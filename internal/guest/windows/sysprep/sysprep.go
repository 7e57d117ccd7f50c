// Package sysprep completes the answer files of the set-up of Windows XP and Server 2003:
// sysprep.inf, and CmdLines.txt with the commands that it runs.
//
// It is pure, from old bytes to new bytes. Lines, their order, comments, encoding and line
// ends stay as they are; names may have any case.
package sysprep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Size is the most bytes such a file has.
const Size = 1 << 20

// files is where the set-up of an image lies; it removes that directory when it is done.
const files = `C:\sysprep`

// ErrRefused is a file that this package does not touch.
var ErrRefused = errors.New("unusable file of the set-up")

// Completion is what sysprep.inf has to say. What is empty is left as it is.
type Completion struct {
	ComputerName, ProductKey string
	// TimeZone is the number of a time zone; one that is set stays.
	TimeZone string
}

// Complete returns sysprep.inf with what c has, and the directory with the set-up's files. The
// question for a password is answered, as the password is set by a command.
func Complete(data []byte, c Completion) (out []byte, install string, err error) {
	text, encode, err := decode(data)
	if err != nil {
		return nil, "", err
	}
	f := parseInf(text)
	install = f.get("Unattended", "InstallFilesPath")
	if install == "" {
		install = files + `\i386`
		f.set("Unattended", "InstallFilesPath", install)
	}
	if err := checkInstall(install); err != nil {
		return nil, "", err
	}
	if f.get("GuiUnattended", "TimeZone") == "" && c.TimeZone != "" {
		f.set("GuiUnattended", "TimeZone", c.TimeZone)
	}
	if f.get("GuiUnattended", "AdminPassword") == "" {
		f.set("GuiUnattended", "AdminPassword", "*")
		f.set("GuiUnattended", "EncryptedAdminPassword", "No")
	}
	if c.ComputerName != "" {
		f.set("UserData", "ComputerName", c.ComputerName)
	}
	if c.ProductKey != "" {
		f.set("UserData", "ProductKey", c.ProductKey)
	}
	return encode(f.String()), install, nil
}

// Identity returns the name of the computer and the product key that sysprep.inf sets, "" where it
// sets none. A name of * is none: Windows chooses one.
func Identity(data []byte) (name, key string, err error) {
	text, _, err := decode(data)
	if err != nil {
		return "", "", err
	}
	f := parseInf(text)
	if name = strings.TrimSpace(f.get("UserData", "ComputerName")); name == "*" {
		name = ""
	}
	return name, f.get("UserData", "ProductKey"), nil
}

// checkInstall refuses a directory that the set-up would not remove.
func checkInstall(path string) error {
	for _, part := range strings.Split(path, `\`) {
		if part == ".." || strings.ContainsAny(part, `/<>"|?*`) {
			return fmt.Errorf("%w: InstallFilesPath %.80q is not a path below %s", ErrRefused, path, files)
		}
	}
	if !strings.HasPrefix(strings.ToLower(path), strings.ToLower(files)+`\`) {
		return fmt.Errorf("%w: InstallFilesPath %.80q is not below %s", ErrRefused, path, files)
	}
	return nil
}

// AddCommands returns CmdLines.txt with commands, each unless a line is about its script.
func AddCommands(data []byte, commands []Command) ([]byte, error) {
	text, encode, err := decode(data)
	if err != nil {
		return nil, err
	}
	f := parseInf(text)
	for _, c := range commands {
		there := false
		f.visit("Commands", func(i int, _ bool) bool {
			there = there || !strings.HasPrefix(strings.TrimSpace(f.lines[i]), ";") && strings.Contains(strings.ToLower(f.lines[i]), strings.ToLower(c.Script))
			return !there
		})
		if !there {
			f.add("Commands", `"`+c.Line+`"`)
		}
	}
	return encode(f.String()), nil
}

// Command is a line of CmdLines.txt.
type Command struct {
	Line   string
	Script string // that it is about
}

// decode returns the text of a file, and what stores a text as it was stored. Without a byte
// order mark each byte is a character, whatever it is.
func decode(data []byte) (string, func(string) []byte, error) {
	if len(data) > Size {
		return "", nil, fmt.Errorf("%w: it has %d bytes, more than %d", ErrRefused, len(data), Size)
	}
	mark := []byte{0xff, 0xfe}
	if !bytes.HasPrefix(data, mark) {
		if bytes.IndexByte(data, 0) >= 0 {
			return "", nil, fmt.Errorf("%w: it is not a text", ErrRefused)
		}
		return string(data), func(s string) []byte { return []byte(s) }, nil
	}
	units := make([]uint16, (len(data)-2)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2+2*i:])
	}
	encode := func(s string) []byte {
		out := bytes.Clone(mark)
		for _, u := range utf16.Encode([]rune(s)) {
			out = binary.LittleEndian.AppendUint16(out, u)
		}
		return out
	}
	text := string(utf16.Decode(units))
	if !bytes.Equal(encode(text), data) {
		return "", nil, fmt.Errorf("%w: its UTF-16 is damaged", ErrRefused)
	}
	return text, encode, nil
}

// Standard returns sysprep.inf for an image without one: no question is asked.
func Standard() []byte { return []byte(strings.ReplaceAll(standard, "\n", "\r\n")) }

const standard = `[Unattended]
OemSkipEula=Yes
InstallFilesPath=` + files + `\i386

[GuiUnattended]
OEMSkipRegional=1
OemSkipWelcome=1

[UserData]
FullName="Administrator"
OrgName=""
ComputerName=*

[LicenseFilePrintData]
AutoMode=PerServer
AutoUsers=5

[Identification]
JoinWorkgroup=WORKGROUP

[Networking]
InstallDefaultComponents=Yes
`
