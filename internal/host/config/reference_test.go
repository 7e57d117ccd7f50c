package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/host/values"
	"snf-image/internal/spec"
	"snf-image/tests/golden"
)

// reference is the document all tables of the code are written to.
const reference = "../../../docs/reference.md"

// row writes a line of a Markdown table.
func row(cells ...string) string {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// table writes a Markdown table.
func table(title, intro string, head []string, rows []string) string {
	return "\n## " + title + "\n\n" + intro + "\n\n" + row(head...) +
		row(slices.Repeat([]string{"---"}, len(head))...) + strings.Join(rows, "")
}

// code quotes s as code unless it is empty.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// state says what is not in this version.
func state(missing string) string {
	switch missing {
	case "":
		return "used"
	case "all of it":
		return "not in this version"
	}
	return "not in this version: " + missing
}

func parameterRows() (rows []string) {
	for _, p := range spec.AllParameters() {
		rows = append(rows, row(code(p.Name), string(p.Kind), p.Doc, state(p.Missing)))
	}
	return rows
}

func formatRows() (rows []string) {
	for _, f := range values.AllFormats() {
		rows = append(rows, row(code(string(f.Name)), f.Doc, state("")))
	}
	return rows
}

func propertyRows() (rows []string) {
	for _, p := range spec.AllProperties() {
		rows = append(rows, row(code(p.Name), string(p.Kind), p.Doc, string(p.State)))
	}
	return rows
}

func taskRows() (rows []string) {
	for _, t := range spec.AllTasks() {
		rows = append(rows, row(fmt.Sprint(t.Order), code(t.Name), t.Doc, state(t.Missing)))
	}
	return rows
}

func settingRows() (rows []string) {
	for _, s := range Settings() {
		rows = append(rows, row(code(s.Name), s.Type, code(s.Default), s.Doc, string(s.State)))
	}
	return rows
}

// document is what the reference has to say.
func document() string {
	return "# Reference\n\nWritten from the tables of the code by\n" +
		"`go test ./internal/host/config -run Reference -update`; a test keeps it in step.\n" +
		table("OS parameters", "Given as flags, in the JSON object of `--params`, or as upper-case names in a\nconfiguration file. A later source wins: configuration file, `config_url`,\n`--params`, flags; for Ganeti configuration file, variant, `OSP_*`, `config_url`.",
			[]string{"name", "value", "meaning", "this version"}, parameterRows()) +
		table("Image formats", "The values of `img_format` and `--format`.", []string{"name", "meaning", "this version"}, formatRows()) +
		table("Image properties", "Names in any case. Booleans are yes/true/1/on/set and no/false/0/off/unset; any\nother word means yes, with a warning. Unknown properties are passed on to\nprograms as `PROPERTY_NAME`.",
			[]string{"name", "value", "meaning", "this version"}, propertyRows()) +
		table("Tasks", "In the order they run. `EXCLUDE_TASK_<NAME>` leaves one out; MountImage,\nInitializeDatasource, InstallUnattend and UmountImage cannot be excluded individually.",
			[]string{"order", "name", "effect", "this version"}, taskRows()) +
		table("Configuration", "`"+DefaultPath+"` and the older files `"+DefaultFiles()[0].Path+"` and\n`"+DefaultFiles()[1].Path+"`, which are read before it. Files hold\n`NAME=\"value\"` lines; nothing in them is executed, `${NAME}` stands for a value set\nbefore or a default.",
			[]string{"name", "value", "default", "meaning", "this version"}, settingRows())
}

func TestReferenceMatchesTables(t *testing.T) {
	t.Parallel()
	golden.File(t, reference, document())
}

// TestSettingsAreListedOnce keeps names apart, also from the OS parameters.
func TestSettingsAreListedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range Settings() {
		if _, parameter := osParameter(s.Name); parameter || seen[s.Name] || s.Doc == "" {
			t.Errorf("%s is listed twice, is an OS parameter or has no text", s.Name)
		}
		seen[s.Name] = true
	}
}

// TestSecurityHasTheParameters finds a row for each parameter where the documents say
// what a value that a URL delivered can reach.
func TestSecurityHasTheParameters(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "What each parameter of `config_url` can reach:")
	if !ok {
		t.Fatal("docs/security.md has no table of what config_url can reach")
	}
	for _, p := range spec.AllParameters() {
		if !regexp.MustCompile("(?m)^\\|.*`" + p.Name + "`.*\\|.+\\|$").MatchString(table) {
			t.Errorf("docs/security.md does not say what %s from a URL can reach", p.Name)
		}
	}
}
