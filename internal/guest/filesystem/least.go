package filesystem

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"snf-image/internal/command"
)

// leastLimit is how long a tool may compute how small a file system can become.
const leastLimit = time.Minute

// leastExt is Growth.Least. The tool reads the descriptors of all groups, and changes nothing.
func leastExt(ctx context.Context, device string) (int64, error) {
	s, _, err := readSuper(device)
	if err != nil {
		return 0, err
	}
	blocks, err := numberFrom(ctx, func(out string) string { return out[strings.LastIndex(out, ":")+1:] }, "resize2fs", "-P", device)
	if err != nil || blocks > int64(s.blocks()) {
		return int64(s.blocks() << s.shift()), err
	}
	return blocks << s.shift(), nil
}

// leastBtrfs is Growth.LeastMounted.
func leastBtrfs(ctx context.Context, dir string) (int64, error) {
	return numberFrom(ctx, func(out string) string { return out }, "btrfs", "inspect-internal", "min-dev-size", dir)
}

// numberFrom runs a tool and returns the number with which a part of its output begins.
func numberFrom(ctx context.Context, part func(out string) string, args ...string) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, leastLimit, fmt.Errorf("not done after %v", leastLimit))
	defer cancel()
	out, err := command.Run(ctx, command.Cmd{Args: args})
	if err != nil {
		return 0, err
	}
	text, _, _ := strings.Cut(strings.TrimSpace(part(string(out))), " ")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<50 {
		return 0, fmt.Errorf("%s says %q", args[0], text)
	}
	return n, nil
}
