package inspect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"snf-image/internal/guest/account"
	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/network"
	"snf-image/tests/guest"
)

var image = guest.Image

// names returns the accounts and the states of their passwords.
func names(states []account.State) []string {
	var names []string
	for _, s := range states {
		names = append(names, s.Name+" "+string(s.Password))
	}
	return names
}

func TestLook(t *testing.T) {
	t.Parallel()
	debian := map[string]string{
		"usr/lib/os-release":                 "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n",
		"etc/os-release":                     "-> ../usr/lib/os-release",
		"etc/hostname":                       "\n# x\nimage\n",
		"etc/passwd":                         "root:x:0:0::/root:/bin/bash\nsync:x:4:4::/bin:/bin/sync\nann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/sh\ncat:x:1002:1002::relative:\ndan:x:1004:1004::/home/dan:/bin/sh\nlocked:!:1003:1003::/:\n",
		"etc/shadow":                         "root:*:1\nsync:$6$x:1\nann:$6$x:1:\nbob:!:1:\ncat:!:1:\ndan:!:1:\n",
		"etc/ssh/keys/bob":                   "ssh-x",
		"home/dan/.ssh/authorized_keys":      "not what the server reads",
		"usr/sbin/sshd":                      "",
		"etc/ssh/sshd_config":                "Include /etc/ssh/sshd_config.d/*.conf\nHostKey /etc/ssh/ssh_host_rsa_key\n",
		"etc/ssh/sshd_config.d/a.conf":       "HostKey /etc/keys/mine\nAuthorizedKeysFile /etc/ssh/keys/%u\nMatch all\nHostKey /etc/ssh/no\n",
		"etc/keys/mine.pub":                  "ssh-ed25519 AAAA x\n",
		"sbin/ifup":                          "",
		"etc/network/interfaces.d/.keep":     "",
		"etc/ssh/sshd_config.d/ignored.text": "HostKey /no\n",
	}
	for name, c := range map[string]struct {
		files    map[string]string
		want     System
		accounts []string
	}{
		"debian": {debian, System{
			Family: "linux", Distribution: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)",
			Hostname: "image", Network: network.Ifupdown, NetworkReason: "there is /sbin/ifup", HostKeyTypes: []string{"ed25519", "rsa"},
		}, []string{"root none", "ann set", "bob locked"}},
		"empty":      {map[string]string{"x": ""}, System{}, nil},
		"fstab only": {map[string]string{"etc/fstab": ""}, System{Family: "linux"}, nil},
		"old debian": {map[string]string{"etc/debian_version": "6.0.10\n"}, System{
			Family: "linux", Distribution: "debian", Version: "6.0.10", Pretty: "debian 6.0.10",
		}, nil},
		"old red hat": {map[string]string{"etc/redhat-release": "Red Hat Enterprise Linux release 6\n", "etc/sysconfig/network": "HOSTNAME=\"h1\"\n"}, System{
			Family: "linux", Distribution: "rhel", Pretty: "Red Hat Enterprise Linux release 6", Hostname: "h1",
		}, nil},
		"os-release leads out": {map[string]string{"etc/os-release": "-> ../../../../etc/os-release"}, System{}, nil},
		"default host keys": {map[string]string{"usr/sbin/sshd": "", "etc/os-release": ""}, System{
			Family: "linux", Distribution: "linux", HostKeyTypes: []string{"rsa", "ecdsa", "ed25519"},
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Look(image(t, c.files), 20000)
			accounts := names(got.Accounts)
			got.Accounts = nil
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(cloudinit.Image{})); diff != "" {
				t.Errorf("Look (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.accounts, accounts); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
		})
	}
}

// A hostile image gets a warning out of us, never a wait.
func TestLookHostile(t *testing.T) {
	t.Parallel()
	root := image(t, map[string]string{
		"etc/os-release": "FIFO", "etc/fstab": "FIFO", "etc/hostname": "-> hostname", "etc/passwd": "FIFO",
		"usr/sbin/sshd": "x", "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config\n", "etc/network/interfaces": "FIFO",
		"var/lib/dpkg/status": "FIFO",
	})
	done := make(chan System, 1)
	go func() {
		done <- Look(root, 20000)
	}()
	select {
	case s := <-done:
		if s.Family != "" || s.Hostname != "" || len(s.Warnings) != 2 {
			t.Errorf("Look = %+v, want two warnings and nothing else", s)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still waiting after 20 s")
	}
}
