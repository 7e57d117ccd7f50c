package windows

import "snf-image/internal/guest/rootfs"

// CloudInit returns the name of the program that configures the image as cloud-init does
// elsewhere, "" for none.
func CloudInit(root *rootfs.Root) string {
	for _, dir := range []string{"/Program Files/Cloudbase Solutions/Cloudbase-Init", "/Program Files (x86)/Cloudbase Solutions/Cloudbase-Init"} {
		if root.IsDir(dir) {
			return "cloudbase-init"
		}
	}
	return ""
}
