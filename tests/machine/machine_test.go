package machine

import (
	"io"
	"regexp"
	"testing"
	"time"
)

func TestConsoleExpect(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	c := newConsole("the test", r)
	go func() {
		for _, s := range []string{"lo", "gin: ", "ready\r\n", "login: "} {
			_, _ = io.WriteString(w, s)
		}
		_ = w.Close()
	}()
	login := regexp.MustCompile(`login: `)
	if got := c.expect(t, time.Minute, regexp.MustCompile("never"), login); got != 1 {
		t.Errorf("first match = pattern %d, want 1, split over two writes", got)
	}
	at := c.position()
	c.expect(t, time.Minute, login)
	if got, want := c.since(at), "ready\r\nlogin: "; got != want {
		t.Errorf("between the matches = %q, want %q", got, want)
	}
}

// TestVerdicts holds the patterns against what the firmwares of Debian 12 print.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		firmware       Firmware
		text           string
		boots, nothing bool
	}{
		"SeaBIOS boots":   {SeaBIOS, "Booting from Hard Disk...\nBooting from 0000:7c00\n", true, false},
		"SeaBIOS nothing": {SeaBIOS, "Boot failed: not a bootable disk\n\nNo bootable device.\n", false, true},
		"OVMF boots":      {OVMF, `BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)`, true, false},
		"OVMF nothing": {OVMF, `BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x1,0x0): Not Found
BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)`, false, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verdicts[c.firmware]
			if got := v.boots.MatchString(c.text); got != c.boots {
				t.Errorf("boots = %v, want %v", got, c.boots)
			}
			if got := v.nothing.MatchString(c.text); got != c.nothing {
				t.Errorf("nothing = %v, want %v", got, c.nothing)
			}
		})
	}
}

// TestRespond asks for a name that is there, and for others.
func TestRespond(t *testing.T) {
	t.Parallel()
	const head, name = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", "\x03www\x04corp\x00"
	for question, want := range map[string]string{
		head + name + "\x00\x01\x00\x01": "\x12\x34\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00" + name + "\x00\x01\x00\x01" +
			"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x50",
		head + name + "\x00\x1c\x00\x01":          "\x12\x34\x85\x80\x00\x01\x00\x00\x00\x00\x00\x00" + name + "\x00\x1c\x00\x01",
		head + "\x03ftp\x00" + "\x00\x01\x00\x01": "\x12\x34\x85\x83\x00\x01\x00\x00\x00\x00\x00\x00\x03ftp\x00\x00\x01\x00\x01",
		head: "", "\x12": "", head + name: "",
	} {
		if got := string(respond([]byte(question), "www.corp", [4]byte{192, 0, 2, 80})); got != want {
			t.Errorf("respond(%q) = %q, want %q", question, got, want)
		}
	}
}
