package spec

// PropertyKind is the form of a property's value.
type PropertyKind string

// The kinds of property.
const (
	TextProperty    PropertyKind = "text"
	BooleanProperty PropertyKind = "boolean"
)

// PropertyState says what this version does with a property.
type PropertyState string

// The states of a property.
const (
	PropertyUsed     PropertyState = "used"
	PropertyHarmless PropertyState = "without effect"
	PropertyMissing  PropertyState = "not in this version"
)

// Property describes one image property (interface.md section 3).
type Property struct {
	Name  string
	Kind  PropertyKind
	State PropertyState
	Doc   string
}

// Names of the properties the code asks for.
const (
	PropOSFamily         = "OSFAMILY"
	PropRootPartition    = "ROOT_PARTITION"
	PropUsers            = "USERS"
	PropOverwriting      = "ALLOW_MOUNTED_TASK_OVERWRITING"
	PropHashMethod       = "PASSWD_HASHING_METHOD"
	PropSwap             = "SWAP"
	PropCloudInit        = "CLOUD_INIT"
	PropCustomTask       = "CUSTOM_TASK"
	PropNMNetworking     = "NM_NETWORKING"
	PropExcludeAll       = "EXCLUDE_ALL_TASKS"
	PropExcludeMounted   = "EXCLUDE_MOUNTED_TASKS"
	PropExcludeResize    = "EXCLUDE_FILESYSTEMRESIZE_TASKS"
	PropExcludeTask      = "EXCLUDE_TASK_" // followed by the name of a task
	excludeTaskReference = PropExcludeTask + "<NAME>"
)

// AllProperties returns the image properties in the order they are documented.
func AllProperties() []Property {
	return []Property{
		{PropOSFamily, TextProperty, PropertyUsed, "linux, windows, windows-legacy, freebsd, netbsd or openbsd; detected when missing. All but linux are not in this version"},
		{PropRootPartition, TextProperty, PropertyUsed, "number of the root partition; detected when missing"},
		{PropUsers, TextProperty, PropertyUsed, "space-separated users whose credentials are set; root when missing"},
		{"DO_SYNC", BooleanProperty, PropertyHarmless, "accepted: nothing is skipped that would have to be synced"},
		{"IGNORE_UNATTEND", BooleanProperty, PropertyHarmless, "install our answer file even if a Windows image has one"},
		{PropOverwriting, BooleanProperty, PropertyUsed, "programs in /root/snf-image/helper of the image may replace the tasks that run while it is mounted"},
		{"OFFLINE_NTFSRESIZE", BooleanProperty, PropertyHarmless, "resize NTFS in the helper instead of on first boot"},
		{"OFFLINE_NTFSRESIZE_NOCHECK", BooleanProperty, PropertyHarmless, "and clear its dirty flag"},
		{PropHashMethod, TextProperty, PropertyUsed, "md5, sha1, blowfish, sha256, sha512 or yescrypt; sha512 when missing"},
		{PropSwap, TextProperty, PropertyUsed, "PARTITION:SIZE_MB to add a swap partition, or the letter of a whole secondary disk"},
		{PropCloudInit, BooleanProperty, PropertyMissing, "configure through a NoCloud seed instead of editing system files"},
		{PropCustomTask, TextProperty, PropertyUsed, "base64 of a program to run in the helper with the image mounted"},
		{PropNMNetworking, BooleanProperty, PropertyMissing, "write NetworkManager keyfiles whatever the distribution"},
		{PropExcludeAll, BooleanProperty, PropertyUsed, "run no task at all; no helper is started"},
		{PropExcludeMounted, BooleanProperty, PropertyUsed, "leave out MountImage, UmountImage and all tasks between them"},
		{PropExcludeResize, BooleanProperty, PropertyUsed, "leave out the three FilesystemResize tasks"},
		{excludeTaskReference, BooleanProperty, PropertyUsed, "leave out one task"},
	}
}

// osFamilies are the values of OSFAMILY, the one of this version first.
func osFamilies() []string {
	return []string{"linux", "windows", "windows-legacy", "freebsd", "netbsd", "openbsd"}
}

// hashMethods are the values of PASSWD_HASHING_METHOD, the default first.
func hashMethods() []string {
	return []string{"sha512", "sha256", "md5", "sha1", "blowfish", "yescrypt"}
}
