package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"snf-image/internal/host/problem"
	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// dur keeps the lines of the table short.
type dur = time.Duration

// to makes the setter of a field from a parser of its value.
func to[T any](parse func(string) (T, error), field func(*Config) *T) func(*Config, string) error {
	return func(c *Config, s string) error {
		v, err := parse(s)
		if err == nil {
			*field(c) = v
		}
		return err
	}
}

func text(s string) (string, error) { return s, nil }

func word(s string) (string, error) {
	if f := strings.Fields(s); len(f) != 1 || f[0] != s {
		return "", errors.New("expected one word")
	}
	return s, nil
}

func words(s string) ([]string, error) { return strings.Fields(s), nil }

func path(s string) (string, error) {
	if !filepath.IsAbs(s) {
		return "", errors.New("expected an absolute path")
	}
	return filepath.Clean(s), nil
}

func paths(s string) ([]string, error) {
	dirs := strings.Fields(s)
	for i, d := range dirs {
		var err error
		if dirs[i], err = path(d); err != nil {
			return nil, errors.New("expected absolute paths")
		}
	}
	return dirs, nil
}

// mirror wants the URL of a server, perhaps of a directory there.
func mirror(s string) (string, error) {
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || !slices.Contains([]string{"http", "https", "ftp", "ftps"}, u.Scheme)) {
		return "", errors.New("expected a URL of http, https, ftp or ftps")
	}
	return strings.TrimRight(s, "/"), nil
}

func count(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, errors.New("expected a number from 0 to 65535")
	}
	return int(n), nil
}

func optionalPath(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return path(s)
}

func boolean(s string) (bool, error) {
	yes, known := spec.ParseBool(s)
	if !known {
		return false, errors.New("expected yes or no")
	}
	return yes, nil
}

var durationForm = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)$`)

// duration reads what timeout(1) reads: a number of seconds, or with a suffix.
func duration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New("expected a number, perhaps followed by s, m, h or d")
	}
	unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	n, err := strconv.ParseFloat(m[1], 64)
	if limit := 1000 * 24 * time.Hour; err != nil || n*float64(unit) > float64(limit) {
		return 0, errors.New("expected at most 1000 days")
	}
	return time.Duration(n * float64(unit)), nil
}

// Bounds of HELPER_MEMORY in MiB. Below, the kernel and its tools do not fit.
const (
	minMemory = 192
	maxMemory = 1 << 20
)

func memory(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < minMemory || n > maxMemory {
		return 0, fmt.Errorf("expected a number of MiB from %d to %d", minMemory, maxMemory)
	}
	return n, nil
}

func nicConfig(s string) (string, error) {
	s = strings.ToLower(s)
	if !slices.Contains([]string{"", "dhcp", "dhcpv6", "slaac", "slaac_dhcp", "dhcp+dhcpv6", "dhcp+slaac", "dhcp+slaac_dhcp"}, s) {
		return "", errors.New("expected dhcp, dhcpv6, slaac, slaac_dhcp, dhcp+dhcpv6, dhcp+slaac, dhcp+slaac_dhcp or nothing")
	}
	return s, nil
}

func accelerator(s string) (string, error) {
	s = strings.ToLower(s)
	if !slices.Contains([]string{"auto", "kvm", "tcg"}, s) {
		return "", errors.New("expected auto, kvm or tcg")
	}
	return s, nil
}

func wipe(s string) (target.Wipe, error) {
	w := target.Wipe(strings.ToLower(s))
	if !slices.Contains([]target.Wipe{target.WipeAuto, target.WipeZero, target.WipeNone}, w) {
		return "", errors.New("expected auto, zero or none")
	}
	return w, nil
}

// helperPackage sets HelperPkg; HELPER_DIR is set before it.
func helperPackage(c *Config, s string) error {
	if s != "" && !strings.Contains(s, "/") {
		s = filepath.Join(c.HelperDir, s)
	}
	var err error
	c.HelperPkg, err = path(s)
	return err
}

// helperUser sets HelperUser. "nobody" means an account of its own for each
// run, as sharing nobody with other services would separate nothing.
func helperUser(c *Config, s string) error {
	if strings.ContainsAny(s, " \t\n:/") {
		return errors.New("expected the name of an account")
	}
	c.HelperUser = strings.TrimSpace(s)
	if s == "nobody" {
		c.HelperUser = ""
	}
	return nil
}

// fingerprints reads fingerprints of keys, or ids of minisign's.
func fingerprints(s string) ([]string, error) {
	all := strings.Fields(strings.ToUpper(s))
	for _, f := range all {
		if strings.Trim(f, "0123456789ABCDEF") != "" || len(f) < 16 {
			return nil, errors.New("expected fingerprints without spaces in them, as snf-image key list shows them")
		}
	}
	return all, nil
}

// onlyNone refuses to promise a check that is not there.
func onlyNone(_ *Config, s string) error {
	if s != "none" && s != "" {
		return fmt.Errorf("checking is %w, only none is possible", problem.ErrNotInThisVersion)
	}
	return nil
}
