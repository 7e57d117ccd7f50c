package ganeti

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"snf-image/tests/harness"
)

// atOnce makes four instances on node 1, and one on each further node, all at
// the same time.
func atOnce(c cluster) {
	nodes := []int{1, 1, 1, 1}
	for k := 2; k <= c.nodes; k++ {
		nodes = append(nodes, k)
	}
	// On a busy machine Ganeti begins them some seconds apart: they are made to last.
	task := base64.StdEncoding.EncodeToString([]byte("#!/bin/bash\nsleep 10\n"))
	parameters := debianOS + `,img_properties={"CUSTOM_TASK":"` + task + `"}`
	instance := func(i int) string { return fmt.Sprintf("inst%d.gnt.test", 11+i) }
	var all sync.WaitGroup
	for i, k := range nodes {
		all.Go(func() {
			args := append([]string{"run"}, add(k, onFile, instance(i), parameters, "--os-parameters-private", "img_passwd="+password)...)
			if out, err := c.try(args...); err != nil {
				c.Errorf("adding %s: %v\n%s", instance(i), err, out)
			}
		})
	}
	all.Wait()
	if c.Failed() {
		return
	}
	earliestEnd, latestBegin := math.Inf(1), 0.0
	for i, k := range nodes {
		begin, end := times(c, c.logOf(k, "add", instance(i)))
		earliestEnd, latestBegin = min(earliestEnd, end), max(latestBegin, begin)
		disk := c.diskOf(k, instance(i))
		checkInstance(c.T, disk, instance(i), password)
		harness.NothingLeft(c, disk)
		c.remove(instance(i))
	}
	if latestBegin > earliestEnd {
		c.Errorf("one had ended %.0f s before another began: they did not run at the same time", latestBegin-earliestEnd)
	}
	checkNothingRuns(c)
}

var timestamp = regexp.MustCompile(`"timestamp":([0-9.]+)`)

// times returns the times of the first and the last progress message in a log.
func times(c cluster, log string) (first, last float64) {
	c.Helper()
	found := timestamp.FindAllStringSubmatch(log, -1)
	if len(found) < 2 {
		c.Fatalf("no progress messages:\n%s", log)
	}
	first, err := strconv.ParseFloat(found[0][1], 64)
	if err == nil {
		last, err = strconv.ParseFloat(found[len(found)-1][1], 64)
	}
	if err != nil {
		c.Fatal(err)
	}
	return first, last
}

// checkNothingRuns looks for processes and files that ended scripts left behind.
func checkNothingRuns(c cluster) {
	c.Helper()
	for k := 1; k <= c.nodes; k++ {
		node := strconv.Itoa(k)
		for line := range strings.Lines(c.script("run", "-n", node, "ps", "-eo", "args")) {
			if strings.Contains(line, "snf-") || strings.Contains(line, "qemu") {
				c.Errorf("left running on %s: %s", name(k), line)
			}
		}
		// The directory in which deployments know of each other stays; no place in it
		// does.
		if out := c.script("run", "-n", node, "find", "/run", "/dev/shm", "-name", "*snf*", "!", "-path", "/run/snf-image",
			"-o", "-path", "/run/snf-image/helper-*"); out != "" {
			c.Errorf("left behind on %s:\n%s", name(k), out)
		}
	}
}
