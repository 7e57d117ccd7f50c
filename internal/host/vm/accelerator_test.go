package vm

import (
	"slices"
	"syscall"
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

// TestChoose: a setting leaves one accelerator, whether it works or not.
func TestChoose(t *testing.T) {
	t.Parallel()
	nobody := &syscall.Credential{Uid: 1_899_999_999, Gid: 1_899_999_999}
	for _, setting := range []string{"kvm", "tcg"} {
		c := Choose(setting, nobody)
		if !slices.Equal(c.Accelerators, []Accelerator{Accelerator(setting)}) || c.Why != "ACCELERATOR="+setting {
			t.Errorf("Choose(%s) = %+v", setting, c)
		}
		if verdicts := (Verdicts{Dir: t.TempDir()}); !slices.Equal(verdicts.Apply(c).Accelerators, c.Accelerators) {
			t.Errorf("a verdict leaves %+v of %+v", verdicts.Apply(c), c)
		}
	}
	auto, kvm := Choose("auto", nobody), Choose("kvm", nobody)
	if auto.Accelerators[len(auto.Accelerators)-1] != TCG {
		t.Errorf("Choose(auto) = %+v, want TCG as the last one", auto)
	}
	if works := auto.Accelerators[0] == KVM; works != (kvm.Broken == "") || kvm.Remedy != auto.Remedy {
		t.Errorf("Choose(auto) = %+v, but Choose(kvm) = %+v", auto, kvm)
	}
}
