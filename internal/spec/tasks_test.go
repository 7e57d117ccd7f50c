package spec

import (
	"strings"
	"testing"
)

func TestTaskTable(t *testing.T) {
	t.Parallel()
	order := 0
	seen := map[string]bool{}
	for _, task := range AllTasks() {
		if task.Order < order {
			t.Errorf("%s: order %d after %d", task.Name, task.Order, order)
		}
		order = task.Order
		if task.Mounted != (task.Order >= 35 && task.Order <= 70) {
			t.Errorf("%s: Mounted = %v at order %d", task.Name, task.Mounted, task.Order)
		}
		if task.Doc == "" || seen[strings.ToUpper(task.Name)] {
			t.Errorf("%s: no documentation, or listed twice", task.Name)
		}
		seen[strings.ToUpper(task.Name)] = true
	}
}
