// Package etc reads and edits the files of /etc: accounts, hosts, assignments as shells
// read them, sshd_config.
//
// It does no input or output. An edit keeps order, comments, unknown lines and line ends.
package etc
