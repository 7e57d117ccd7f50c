package cloudinit

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// Disable keeps the image's cloud-init from running, by the file that is made for this and,
// where what starts it does not look for that, by masking it.
func Disable(g system.Guest) error {
	i := Look(g.Root)
	if !i.Installed {
		return nil
	}
	if err := markDisabled(g.Root); err != nil {
		return fmt.Errorf("keeping the image's cloud-init from running: %w", err)
	}
	how := Disabled
	for _, s := range i.starters {
		if s.heeds {
			continue
		}
		if err := s.mask(g.Root); err != nil {
			return fmt.Errorf("keeping the image's %s from running: %w", s.name, err)
		}
		how = "what starts it is masked or removed, since it does not look for " + Disabled
	}
	if i.forced != "" && !masked(g.Root, target) {
		if err := (starter{name: target}).mask(g.Root); err != nil {
			return fmt.Errorf("keeping the image's cloud-init from running: %w", err)
		}
		how = target + " is masked, because of " + i.forced
	}
	if i.Runs {
		g.Warn("the image's cloud-init will not run (%s): the machine is configured without it; set the property CLOUD_INIT=leave to let it run", how)
	}
	return nil
}

// WarnUnsettled warns that cloud-init, which has not configured an installed machine so far, may do
// so at its next boot. There it is not kept from running, as it is on a deployment.
func WarnUnsettled(g system.Guest) {
	if _, ours := told(g); !ours && !g.Root.Exists(currentID) && Look(g.Root).Runs {
		g.Warn("cloud-init has not configured this machine and may do so at its next boot: it would delete SSH host keys, lock passwords and "+
			"write a network of its own; set the property CLOUD_INIT=yes to have it do what is asked for, or CLOUD_INIT=leave to expect that, or make %s there", Disabled)
	}
}

func markDisabled(root *rootfs.Root) error {
	if root.Exists(Disabled) {
		return nil
	}
	if _, err := root.MkdirAll(path.Dir(Disabled), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	return root.WriteFile(Disabled, nil, rootfs.Attr{Mode: 0o644})
}

// mask keeps systemd, OpenRC or Upstart from starting it.
func (s starter) mask(root *rootfs.Root) error {
	if strings.HasPrefix(s.link, upstartDir) {
		return root.Put(upstartDir+s.name+override, func(old []byte) ([]byte, error) {
			return etc.AppendMissing(old, []string{manual}), nil
		})
	}
	if s.link != "" {
		return root.Remove(s.link)
	}
	own := unitDir + s.name
	if st, err := root.Lstat(own); err == nil && st.Mode().IsRegular() { // the mask takes its place
		if err := root.Rename(own, own+aside); err != nil {
			return err
		}
	}
	if _, err := root.MkdirAll(path.Dir(own), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	return root.Symlink("/dev/null", own)
}
