package diskuri

import (
	"net/url"
	"slices"
	"strings"
)

// Canonical returns one spelling for the URIs that certainly lead to the same
// disk. Two that differ in it may still do so: host names and their addresses are not
// compared.
func Canonical(text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case scheme == "rbd":
		return "rbd:" + canonicalRBD(rest)
	case scheme == "nbd" && !strings.HasPrefix(rest, "//"):
		return Canonical(modernNBD(rest))
	}
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	if transport := map[string]string{"nbd": "nbd+tcp", "gluster": "gluster+tcp", "sheepdog": "sheepdog+tcp"}[u.Scheme]; transport != "" {
		u.Scheme = transport
	}
	host := strings.ToLower(u.Hostname())
	port := map[string]string{
		"nbd+tcp": "10809", "iscsi": "3260", "iser": "3260", "ssh": "22", "nfs": "2049", "gluster+tcp": "24007", "sheepdog+tcp": "7000",
	}[u.Scheme]
	if u.Port() != "" && u.Port() != port {
		host += ":" + u.Port()
	}
	var path []string
	for part := range strings.SplitSeq(u.Path, "/") {
		if part != "" && part != "." {
			path = append(path, part)
		}
	}
	return u.Scheme + "://" + host + "/" + strings.Join(path, "/") + "?" + u.Query().Encode()
}

// canonicalRBD keeps pool, image and snapshot, and of the options (POOL/IMAGE:NAME=VALUE:…)
// those that choose the cluster; with which account it is read is all the same.
func canonicalRBD(rest string) string {
	const escaped = "\x00" // for a colon behind a backslash, which separates nothing
	parts := strings.Split(strings.ReplaceAll(rest, `\:`, escaped), ":")
	var options []string
	for _, o := range parts[1:] {
		name, value, _ := strings.Cut(o, "=")
		if (name == "conf" && value != "/etc/ceph/ceph.conf") || name == "mon_host" || name == "cluster" {
			options = append(options, o)
		}
	}
	slices.Sort(options)
	return strings.ReplaceAll(strings.Join(append([]string{parts[0]}, options...), ":"), escaped, `\:`)
}

// modernNBD turns HOST:PORT or unix:PATH, each with :exportname=NAME, into a URI.
func modernNBD(rest string) string {
	rest, export, _ := strings.Cut(rest, ":exportname=")
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		return "nbd+unix:///" + url.PathEscape(export) + "?socket=" + url.QueryEscape(path)
	}
	return "nbd+tcp://" + rest + "/" + url.PathEscape(export)
}
