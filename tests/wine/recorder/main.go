// Command recorder stands for the programs of Windows that scripts start: net.exe,
// powershell.exe, diskpart.exe and others. Built for Windows and named so, it appends what
// it was started with to C:\record.json, one JSON object in a line.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	name := strings.ToLower(strings.TrimSuffix(strings.ToLower(filepath.Base(args[0])), ".exe"))
	call := map[string]any{"program": name, "arguments": args[1:], "variables": map[string]string{
		"SNF_NAME": os.Getenv("SNF_NAME"), "SNF_PASSWORD": os.Getenv("SNF_PASSWORD"),
	}}
	for i, a := range args[1:] {
		switch {
		case strings.EqualFold(a, "-EncodedCommand") && i+2 < len(args):
			text, err := decode(args[i+2])
			if err != nil {
				return err
			}
			call["text"] = text
		case (strings.EqualFold(a, "/s") || strings.EqualFold(a, "-File")) && i+2 < len(args):
			text, err := os.ReadFile(args[i+2])
			if err != nil {
				return err
			}
			call["text"] = string(text)
		}
	}
	if name == "wmic" { // which ends lines so
		fmt.Print("\r\r\n\r\r\nInterfaceIndex=7\r\r\n\r\r\n")
	}
	line, err := json.Marshal(call)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(`C:\record.json`, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

// decode returns the text of -EncodedCommand.
func decode(encoded string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units)), nil
}
