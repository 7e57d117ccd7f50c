package cloudinit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// waiting returns what an earlier run has told about an installed machine, if no boot has done
// it yet, and nil otherwise.
func (d Datasource) waiting() (*metaData, error) {
	root := d.guest.Root
	if !d.guest.Living || !root.IsRegular(d.file(spec.InitializeDatasource)) {
		return nil, nil
	}
	var m metaData
	if err := d.read(metaPath, &m); err != nil || m.ID == "" {
		return nil, err
	}
	id, err := root.ReadFile(currentID, maxFile)
	switch {
	case err != nil && !rootfs.IsNotExist(err):
		return nil, fmt.Errorf("finding out whether cloud-init has configured the machine: %w", err)
	case strings.TrimSpace(string(id)) == m.ID:
		return nil, nil
	}
	return &m, nil
}

// isSettled reports whether the machine has the users and keys that it is to have: cloud-init has
// made them, or was kept from that. A disk with an image as it was copied has not. Of a machine that
// waits for its next boot the settings say so, since they keep cloud-init from making any.
func (d Datasource) isSettled() (bool, error) {
	if !d.guest.Living {
		return false, nil
	}
	waiting, err := d.waiting()
	if err != nil || waiting == nil {
		return d.guest.Root.Exists(currentID) || d.guest.Root.Exists(Disabled), err
	}
	var former kept
	err = d.read(d.file(spec.InitializeDatasource), &former)
	return former.Users != nil, err
}

// read reads one of our files; one that is not there says nothing.
func (d Datasource) read(p string, into any) error {
	data, err := d.guest.Root.ReadFile(p, maxConfig)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		return errConfig(p, err)
	}
	return nil
}

// join adds what waits for the next boot to what is asked for: what has settings is not kept
// from being done, and only a network that is told anew is forgotten.
func (d Datasource) join(i Instance, waiting metaData) (Instance, error) {
	root := d.guest.Root
	if !slices.Contains(i.Keep, spec.ConfigureNetwork) {
		if err := removeFiles(root, []string{d.file(spec.ConfigureNetwork), NetworkConfig}); err != nil {
			return i, err
		}
	}
	i.Keep = slices.DeleteFunc(slices.Clone(i.Keep), func(task string) bool {
		return root.IsRegular(d.file(task)) || task == spec.ConfigureNetwork && root.IsRegular(NetworkConfig)
	})
	if i.Hostname == "" {
		i.Hostname = waiting.Hostname
	}
	i.Keys = joined(i.Keys, waiting.Keys, strings.TrimSpace)
	if len(i.UserData) > 0 {
		return i, nil
	}
	data, err := root.ReadFile(userData, maxUserData)
	if err != nil && !rootfs.IsNotExist(err) {
		return i, fmt.Errorf("reading the user-data that waits for the next boot: %w", err)
	}
	i.UserData = data
	return i, nil
}

// maxUserData bounds the user-data that waits, in bytes.
const maxUserData = 1 << 20

// joinLogin adds the users that wait for the next boot to those that are told of now. A password
// that waits is not set where l has another one, or locks the account.
func (d Datasource) joinLogin(l Login, s *loginSettings) error {
	var old loginSettings
	if err := d.read(d.file(spec.ChangePassword), &old); err != nil {
		return err
	}
	s.AllowSSH = s.AllowSSH || old.AllowSSH
	if s.DisableRoot == nil {
		s.DisableRoot = old.DisableRoot
	}
	told := func(name string) bool { _, set := l.Hashes[name]; return set }
	if u := d.Config.SystemInfo.DefaultUser; s.SystemInfo == nil && (u == nil || !told(u.Name)) {
		s.SystemInfo = old.SystemInfo
	}
	if err := s.keep(old.Users, told); err != nil {
		return errConfig(d.file(spec.ChangePassword), err)
	}
	s.Users = joined(s.Users, old.Users, userName)
	if old.Chpasswd == nil {
		return nil
	}
	if s.Chpasswd == nil {
		s.Chpasswd = &chpasswd{}
	}
	ofLine := func(line string) string { name, _, _ := strings.Cut(line, ":"); return name }
	old.Chpasswd.Users = slices.DeleteFunc(old.Chpasswd.Users, func(h hashed) bool { return told(h.Name) })
	old.Chpasswd.List = slices.DeleteFunc(old.Chpasswd.List, func(line string) bool { return told(ofLine(line)) })
	s.Chpasswd.Users = append(old.Chpasswd.Users, s.Chpasswd.Users...)
	s.Chpasswd.List = append(old.Chpasswd.List, s.Chpasswd.List...)
	return nil
}

// userName returns the name of an entry of the list of users.
func userName(entry any) string {
	if m, ok := entry.(map[string]any); ok {
		entry = m["name"]
	}
	if u, ok := entry.(account); ok {
		return u.Name
	}
	return fmt.Sprint(entry)
}

// keep has users that are told of anew keep their keys, and their password unless something is
// told of that.
func (s *loginSettings) keep(old entries, told func(name string) bool) error {
	for n, entry := range s.Users {
		u, ours := entry.(account)
		waits := slices.IndexFunc(old, func(entry any) bool {
			_, said := entry.(map[string]any)
			return said && userName(entry) == u.Name
		})
		if !ours || waits < 0 {
			continue
		}
		var before account
		text, err := yaml.Marshal(old[waits])
		if err == nil {
			err = yaml.Unmarshal(text, &before)
		}
		if err != nil {
			return err
		}
		u.Keys = joined(u.Keys, before.Keys, strings.TrimSpace)
		if !told(u.Name) {
			u.Lock, u.Hash = before.Lock, before.Hash
		}
		s.Users[n] = u
	}
	return nil
}

// joined returns a list and those of an older one whose names it lacks, before them.
func joined[T any](list, old []T, name func(T) string) []T {
	var out []T
	for _, o := range old {
		if !slices.ContainsFunc(list, func(entry T) bool { return name(entry) == name(o) }) {
			out = append(out, o)
		}
	}
	return append(out, list...)
}
