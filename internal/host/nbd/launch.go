package nbd

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// Name is argv[0] of the process that becomes qemu-nbd. A program that calls
// Serve calls Launch, before anything else, when it is started under this name.
const Name = "snf-image-nbd"

// Descriptors of that process: the program itself is 3 (command.Cmd.Program),
// and socket activation wants the listening socket to be 3 (sd_listen_fds(3)).
const (
	passed    = 4
	activated = 3
)

// Launch becomes the program args[1] with the arguments that follow. It exists
// because socket activation names the process by its id, which only the process
// itself knows. It returns only when that failed.
func Launch(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%s: no program is named", Name)
	}
	if err := unix.Dup3(passed, activated, 0); err != nil {
		return fmt.Errorf("handing over the socket: %w", err)
	}
	// Descriptors that whoever started us left open must not stay open in there.
	// Linux before 5.11 does not know how: one layer of several is missing then.
	err := unix.CloseRange(passed, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("closing descriptors: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	return fmt.Errorf("running %s: %w", args[1], unix.Exec(args[1], args[1:], environment()))
}

// environment is what qemu-nbd gets: socket activation, and where libssh and
// librados look for the account's keys.
func environment() []string {
	home := "/"
	if u, err := user.Current(); err == nil {
		home = u.HomeDir
	}
	return []string{
		"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home,
		"LISTEN_FDS=1", "LISTEN_PID=" + strconv.Itoa(os.Getpid()),
	}
}
