package build

// lvmConfig is lvm.conf(5) of the helper. LVM sees the first disk alone: another disk of
// the instance may hold a volume group of the same name, even of the same UUID. There is
// no udev, no daemon and nobody to share a lock with, and nothing is kept of what the
// groups were before. The agent maps the volumes by itself: LVM reads and writes what is
// on the disk, and nothing else.
const lvmConfig = `devices {
	dir = "/dev"
	scan = [ "/dev" ]
	filter = [ "a|^/dev/disk-a[0-9]*$|", "r|.*|" ]
	global_filter = [ "a|^/dev/disk-a[0-9]*$|", "r|.*|" ]
	use_devicesfile = 0
	obtain_device_list_from_udev = 0
	external_device_info_source = "none"
	multipath_component_detection = 0
	md_component_detection = 0
	fw_raid_component_detection = 0
	scan_lvs = 0
	issue_discards = 0
}
activation {
	udev_sync = 0
	udev_rules = 0
	verify_udev_operations = 0
	monitoring = 0
	auto_activation_volume_list = [ ]
}
backup {
	backup = 0
	archive = 0
}
global {
	event_activation = 0
	use_lvmlockd = 0
	use_lvmpolld = 0
	locking_dir = "/run/lock/lvm"
	system_id_source = "none"
	umask = 077
}
`
