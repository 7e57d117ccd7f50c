package answer

import (
	"cmp"
	"strings"

	"github.com/beevik/etree"
)

// Settings is what an answer file says of what a deployment sets by other means.
type Settings struct {
	// Local are the names of the accounts that it makes.
	Local []string
	// AutoLogon is the account that it logs in by itself, "" for none.
	AutoLogon string
	// RefuseRemote is fDenyTSConnections, nil where that is not set.
	RefuseRemote *bool
}

// Read reads what the answer file of a system of that architecture says.
func Read(data []byte, arch string) (Settings, error) {
	var u Settings
	f, err := parse(data)
	if err != nil {
		return u, err
	}
	for _, pass := range []string{"specialize", "oobeSystem"} {
		for _, c := range components(f.doc.Root(), pass, shellSetup, arch) {
			u.read(c)
		}
	}
	for _, e := range remoteDesktop(f.doc.Root(), arch) {
		refuse := isTrue(strings.TrimSpace(e.Text()))
		u.RefuseRemote = &refuse
	}
	return u, nil
}

// Identity returns the name of the computer and the product key that the answer file of a system
// of that architecture sets, "" where it sets none. A name of * is none: Windows chooses one.
func Identity(data []byte, arch string) (name, key string, err error) {
	f, err := parse(data)
	if err != nil {
		return "", "", err
	}
	for _, c := range components(f.doc.Root(), "specialize", shellSetup, arch) {
		if n := text(c, "ComputerName"); n != "*" {
			name = cmp.Or(name, n)
		}
		key = cmp.Or(key, text(c, "ProductKey"))
	}
	return name, key, nil
}

// remoteDesktop returns the elements by which remote desktop connections are refused or not, in the order
// in which the passes come; of a component the first one counts.
func remoteDesktop(root *etree.Element, arch string) (all []*etree.Element) {
	for _, pass := range []string{"offlineServicing", "specialize", "auditSystem", "oobeSystem"} {
		for _, c := range components(root, pass, "Microsoft-Windows-TerminalServices-LocalSessionManager", arch) {
			if found := children(c, "fDenyTSConnections"); len(found) > 0 && strings.TrimSpace(found[0].Text()) != "" {
				all = append(all, found[0])
			}
		}
	}
	return all
}

// refuseRemote has each of them refuse connections.
func (d *draft) refuseRemote() {
	for _, e := range remoteDesktop(d.root, d.arch) {
		if !isTrue(strings.TrimSpace(e.Text())) {
			d.say(e, "true")
		}
	}
}

func (u *Settings) read(component *etree.Element) {
	for _, all := range children(component, "UserAccounts") {
		for _, local := range children(all, "LocalAccounts") {
			for _, account := range children(local, "LocalAccount") {
				if name := text(account, "Name"); name != "" && adds(account) {
					u.Local = append(u.Local, name)
				}
			}
		}
	}
	for _, auto := range children(component, "AutoLogon") {
		if isTrue(text(auto, "Enabled")) {
			u.AutoLogon = text(auto, "Username")
		}
	}
}

func isTrue(text string) bool { return strings.EqualFold(text, "true") || text == "1" }

// adds reports whether the element adds something to a list.
func adds(e *etree.Element) bool {
	for _, a := range e.Attr {
		if a.Key == "action" && a.NamespaceURI() == wcm {
			return strings.EqualFold(a.Value, "add")
		}
	}
	return false
}

// text returns the text of the first element of that name in e.
func text(e *etree.Element, name string) string {
	if found := children(e, name); len(found) > 0 {
		return strings.TrimSpace(found[0].Text())
	}
	return ""
}
