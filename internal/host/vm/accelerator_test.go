package vm

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestDeviceGroup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		gid  uint32
		mode uint32
		want bool
	}{
		{"group kvm, as udev makes it", 104, 0o660, true},
		{"for everybody, too", 104, 0o666, true},
		{"root's group", 0, 0o660, false},
		{"root alone", 0, 0o600, false},
		{"group without access", 104, 0o600, false},
		{"group that may only read", 104, 0o640, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gid, got := deviceGroup(&unix.Stat_t{Gid: tt.gid, Mode: unix.S_IFCHR | tt.mode})
			if got != tt.want || got && gid != tt.gid {
				t.Errorf("deviceGroup(gid %d, mode %o) = %d, %v, want %v", tt.gid, tt.mode, gid, got, tt.want)
			}
		})
	}
}
