package diskuri

import (
	"strings"
	"testing"
)

func TestCheckDiskURI(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ uri, want string }{
		{"rbd:pool/image", ""},
		{"rbd:pool/namespace/image@snapshot:id=admin:conf=/etc/ceph/ceph.conf", ""},
		{"rbd:pool/disk:id=admin:keyring=/etc/ceph/keyring", ""},
		{"nbd://[::1]:10809/export", ""},
		{"nbd+unix:///export?socket=/run/nbd", ""},
		{"nbd:unix:/run/nbd", ""},
		{"iscsi://host:3260/iqn.2001-04.com.example:storage/0", ""},
		{"iscsi://user@host/iqn.2001-04.com.example:storage/0", ""},
		{"ssh://root@host:22/disk@1?host_key_check=no", ""},
		{"ssh://two%20words@host/disk", ""},
		{"gluster+tcp://host:24007/volume/disk", ""},
		{"sheepdog:///disk", ""},
		{"", "has to begin"},
		{"rbd", "has to begin"},
		{"RBD:x", "has to begin"},
		{"json:{}", "has to begin"},
		{"file:/etc/shadow", "has to begin"},
		{"fat:rw:/etc", "has to begin"},
		{"/dev/sda", "has to begin"},
		{"rbd:", "without a disk"},
		{"ssh://", "without a disk"},
		{"rbd:a\nb", "control characters"},
		{"rbd:\xff", "control characters"},
		{"rbd:" + strings.Repeat("x", maxDiskURI), "more than 4096 bytes"},
		{"rbd:pool/disk:id=admin:key=AQ==", "password or key"},
		{"ssh://host/disk?Password=x", "password or key"},
		{"nfs://host/disk?pass%77ord=pw", "password or key"},
		{"ssh://host/disk?a=b;auth_token=1&secret=x", "password or key"},
		{"ssh://user:pw@host/disk", "password or key"},
		{"ssh://user:p@w@host/disk", "password or key"},
		{"ssh://user%3apw@host/disk", "password or key"},
		{"ssh://user%zz@host/disk", "password or key"},
		{"iscsi://user%pw@host/iqn/0", "password or key"},
		{"ssh://user:p/w@host/disk", "not a number"},
		{"ssh://user:p?w@host/disk", "not a number"},
		{"ssh://host:ssh/disk", "not a number"},
	} {
		err := Check(tc.uri)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("CheckDiskURI(%.60q) = %v, want %q", tc.uri, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("CheckDiskURI(%q) = %v: shows the password", tc.uri, err)
		}
	}
}

func TestMaskDiskURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"rbd:pool/disk":                            "rbd:pool/disk",
		"rbd:pool/disk:key=AQ==:id=a":              "rbd:pool/disk:key=***:id=a",
		"nbd+unix:///x?socket=/run/nbd":            "nbd+unix:///x?socket=/run/nbd",
		"ssh://root@host/disk?host_key_check=yes":  "ssh://root@host/disk?host_key_check=yes",
		"ssh://root:pw@host/disk":                  "ssh://***@host/disk",
		"ssh://root:p/w@host/disk":                 "ssh://***@host/disk",
		"ssh://root:p@/?w@host/disk?Passphrase=pw": "ssh://***@host/disk?Passphrase=***",
		"nfs://host/disk?x=1&pass%77ord=pw":        "nfs://host/disk?***",
		"iscsi://u%pw@host/iqn/0":                  "iscsi://***@host/iqn/0",
	} {
		if got := Mask(uri); got != want {
			t.Errorf("MaskDiskURI(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestIsDiskURI(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"rbd:x": true, "nbd://h": true, "rbd": false, "/a:b": false, "disk.raw": false, "C:x": false} {
		if got := Is(text); got != want {
			t.Errorf("IsDiskURI(%q) = %v", text, got)
		}
	}
}

func FuzzDiskURI(f *testing.F) {
	f.Add("ssh://user:pw@host/disk")
	f.Add("rbd:pool/disk:key=x")
	f.Fuzz(func(t *testing.T, uri string) {
		if len(Mask(uri)) > maxDiskURI {
			t.Errorf("MaskDiskURI(%q) is long", uri)
		}
		if Check(uri) != nil {
			return
		}
		if !Is(uri) || strings.Contains(uri, "key=") && secretOption.MatchString(uri) {
			t.Errorf("CheckDiskURI(%q) = nil", uri)
		}
	})
}
