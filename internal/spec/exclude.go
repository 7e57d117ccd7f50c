package spec

import "strings"

// checkExclude warns of EXCLUDE_TASK_ properties that do nothing.
func (b *builder) checkExclude(property string) {
	name, ok := strings.CutPrefix(property, PropExcludeTask)
	if !ok {
		return
	}
	task, known := lookupTask(name)
	switch {
	case !known:
		b.reportProperty(Warning, ErrExclude, property, "there is no task "+shown(name), didYouMean(property, propertyNames()))
	case !task.Excludable() && b.spec.boolean(property):
		b.reportProperty(Warning, ErrExclude, property, "task "+task.Name+" can not be left out by itself, it runs", "use "+PropExcludeMounted)
	}
}

// excludeAll says whether no task runs at all.
func (s *Spec) excludeAll() bool { return s.boolean(PropExcludeAll) }

// Exclusions returns the tasks that are left out and the property that says so.
func (s *Spec) Exclusions() map[string]string {
	out := map[string]string{}
	for _, t := range AllTasks() {
		if property := s.exclusion(t); property != "" {
			out[t.Name] = property
		}
	}
	return out
}

// exclusion returns the property that leaves t out, "" when t runs.
func (s *Spec) exclusion(t Task) string {
	own := PropExcludeTask + strings.ToUpper(t.Name)
	switch {
	case s.excludeAll():
		return PropExcludeAll
	case s.boolean(PropExcludeMounted) && t.Order >= 30 && t.Order <= 80:
		return PropExcludeMounted
	case s.boolean(PropExcludeResize) && strings.HasPrefix(t.Name, "FilesystemResize"):
		return PropExcludeResize
	case t.Excludable() && s.boolean(own):
		return own
	}
	return ""
}
