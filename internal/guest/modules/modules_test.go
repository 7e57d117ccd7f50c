package modules

import (
	"bytes"
	"testing"
)

func TestUnsigned(t *testing.T) {
	t.Parallel()
	module := []byte("\x7fELF module")
	sign := func(length byte) []byte {
		info := []byte{0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, length}
		return bytes.Join([][]byte{module, []byte("SIGNATURE"), info, []byte(signed)}, nil)
	}
	for _, tt := range []struct {
		name     string
		in, want []byte
	}{
		{"signed", sign(9), module},
		{"not signed", module, module},
		{"length beyond the file", sign(200), sign(200)},
		{"marker alone", []byte(signed), []byte(signed)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := unsigned(tt.in); !bytes.Equal(got, tt.want) {
				t.Errorf("unsigned(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
