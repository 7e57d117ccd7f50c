// Snf-image-agent is PID 1 of the helper VM of snf-image. It takes no arguments
// and is of no use anywhere else.
package main

import (
	"fmt"
	"os"

	"snf-image/internal/guest/agent"
)

// release is the version of the helper image, set when it is linked.
var release = "0.0.0-dev"

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "snf-image-agent: runs only as PID 1 of the helper VM of snf-image")
		os.Exit(2)
	}
	agent.Main(release)
}
