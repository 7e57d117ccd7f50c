package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"snf-image/internal/host/ownership"
)

// TestAddWhereOthersMayWrite: a keyring is not made where it would be refused from then on.
func TestAddWhereOthersMayWrite(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	keys := filepath.Join(top, "keys")
	if added, err := Add(keys, "testdata/mini.pub", ""); err != nil || len(added) != 1 {
		t.Fatalf("Add = %v, %v", added, err)
	}
	if os.Geteuid() != 0 { // then it is nobody's to judge
		return
	}
	if err := os.Chmod(top, 0o777); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(top, "other")
	if _, err := Add(other, "testdata/mini.pub", ""); !errors.Is(err, ownership.ErrOthers) {
		t.Errorf("Add = %v, want %v", err, ownership.ErrOthers)
	}
	if _, err := os.Lstat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the keyring was made: %v", err)
	}
}
