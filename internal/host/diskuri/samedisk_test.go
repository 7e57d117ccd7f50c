package diskuri

import "testing"

func TestCanonicalDiskURI(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"rbd:pool/disk", "rbd:pool/disk:id=admin", "rbd:pool/disk:conf=/etc/ceph/ceph.conf:id=x"},
		{`rbd:pool/disk:conf=/etc/b.conf:mon_host=a\:1`, `rbd:pool/disk:mon_host=a\:1:id=x:conf=/etc/b.conf`},
		{"nbd://Host/x", "nbd+tcp://host:10809/x", "nbd:host:10809:exportname=x"},
		{"nbd+unix:///x?socket=/run/s", "nbd:unix:/run/s:exportname=x", "nbd+unix:///x?socket=%2Frun%2Fs"},
		{"iscsi://h/iqn.2001:t/0", "iscsi://h:3260/iqn.2001:t/0", "iscsi://H//iqn.2001:t/0"},
		{"gluster://h/v/a.img", "gluster+tcp://h:24007/v/a.img", "gluster://h/v//./%61.img"},
	} {
		for _, uri := range same[1:] {
			if a, b := Canonical(same[0]), Canonical(uri); a != b {
				t.Errorf("%s is %s and %s is %s, want the same", same[0], a, uri, b)
			}
		}
	}
	seen := map[string]string{}
	for _, uri := range []string{
		"rbd:pool/disk", "rbd:pool/disk2", "rbd:pool2/disk", "rbd:pool/disk@snap", "rbd:pool/disk:conf=/etc/b.conf", "nbd://h/x", "nbd://h/y",
		"nbd://h:1/x", "nbd+unix:///x?socket=/a", "nbd+unix:///x?socket=/b", "iscsi://h/t/0", "iscsi://h/t/1", "ssh://h/a%", "ssh://h/b",
	} {
		c := Canonical(uri)
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s are both %s", uri, other, c)
		}
		seen[c] = uri
	}
}
