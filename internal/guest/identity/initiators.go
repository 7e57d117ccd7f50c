package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// The names by which storage in the network knows a machine: iscsi-iname(8),
// nvme-gen-hostnqn(1).
const (
	iscsiName = "/etc/iscsi/initiatorname.iscsi"
	nvmeNQN   = "/etc/nvme/hostnqn"
	nvmeID    = "/etc/nvme/hostid"
	nqnByUUID = "nqn.2014-08.org.nvmexpress:uuid:"
)

// initiators are the files, with what makes the new content of the old.
var initiators = []struct {
	path  string
	renew func(old []byte, id string) []byte
}{
	{iscsiName, renewISCSI}, {nvmeNQN, renewNQN}, {nvmeID, renewNVMe},
}

// renewInitiators gives a machine names of its own for storage in the network, where the image
// has those of another one.
func renewInitiators(g system.Guest, id string) error {
	for _, f := range initiators {
		err := g.Root.Edit(f.path, func(old []byte) ([]byte, error) {
			data := f.renew(old, id)
			if !bytes.Equal(old, data) {
				g.Log.Info("renewed, since it was the image's own machine's", "file", f.path)
			}
			return data, nil
		})
		if err != nil && !rootfs.IsNotExist(err) {
			return err
		}
	}
	return nil
}

var initiatorName = regexp.MustCompile(`(?m)^(InitiatorName=iqn\.[0-9]{4}-[0-9]{2}\.[^:\s]+)(:\S*)?[ \t]*$`)

// renewISCSI keeps who gave the name, and what stands before its last part.
func renewISCSI(old []byte, id string) []byte {
	return initiatorName.ReplaceAllFunc(old, func(line []byte) []byte {
		parts := initiatorName.FindSubmatch(line)
		middle := string(parts[2])
		return fmt.Appendf(nil, "%s%s:%s", parts[1], middle[:max(0, strings.LastIndexByte(middle, ':'))], derived(id, "iscsi")[:12])
	})
}

// renewNQN leaves a name that somebody chose.
func renewNQN(old []byte, id string) []byte {
	if !bytes.HasPrefix(old, []byte(nqnByUUID)) {
		return old
	}
	return []byte(nqnByUUID + nvmeUUID(id) + "\n")
}

func renewNVMe(_ []byte, id string) []byte { return []byte(nvmeUUID(id) + "\n") }

// nvmeUUID is the one UUID (RFC 9562, version 4) that is in both names.
func nvmeUUID(id string) string {
	h := derived(id, "nvme")
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// derived returns hexadecimal digits that follow from the machine id and do not tell it.
func derived(id, purpose string) string {
	h := hmac.New(sha256.New, []byte(id))
	h.Write([]byte("snf-image " + purpose))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// registered are files by which a service elsewhere knows the image's own machine. To take
// them away would end what the administrator of the image may have meant for its copies.
var registered = []struct{ service, path string }{
	{"Red Hat's subscription management", "/etc/pki/consumer/cert.pem"},
	{"Red Hat Satellite", "/etc/sysconfig/rhn/systemid"},
	{"SUSE Customer Center", "/etc/zypp/credentials.d/SCCcredentials"},
	{"Ubuntu Pro", "/var/lib/ubuntu-advantage/private/machine-token.json"},
	{"Landscape", "/var/lib/landscape/client/broker.bpickle"},
	{"Chef", "/etc/chef/client.pem"},
	{"Tailscale", "/var/lib/tailscale/tailscaled.state"},
	{"ZeroTier", "/var/lib/zerotier-one/identity.secret"},
}

// tellRegistered warns of such files.
func tellRegistered(g system.Guest) {
	for _, r := range registered {
		if g.Root.IsRegular(r.path) {
			g.Warn("%s takes all copies of this image for one machine: %s is the image's own machine's, and was left", r.service, r.path)
		}
	}
}
