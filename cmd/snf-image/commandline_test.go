package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
)

// commanded runs a command line with an empty configuration, and returns its
// exit code and what it wrote.
func commanded(t *testing.T, ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	err := run(ctx, stdin, &out, &errs, append(args, "--config", conf))
	printFailure(&errs, err)
	return exitCode(err), out.String(), errs.String()
}

func TestSignalEndsTheWaitForAPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	silent, never := io.Pipe()
	defer func() { _ = never.Close() }()
	cancel(interrupted{syscall.SIGINT})
	code, _, stderr := commanded(t, ctx, silent, "deploy", "--image", "x", "--disk", "y", "--name", "z", "--password-file", "-")
	if code != 128+int(syscall.SIGINT) || !strings.Contains(stderr, "--password-file -: stopped by signal") {
		t.Errorf("exit code %d, %q, want 130 and the flag", code, stderr)
	}
}

// TestMain lets this binary stand for the program: to show it signals, and as a child of
// a deployment.
func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name || os.Args[0] == worker.Name {
		main()
	}
	switch os.Getenv("SNF_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "signal":
		ctx, stop := withSignals(context.Background())
		defer stop()
		_, _ = os.Stdout.WriteString("ready\n")
		<-ctx.Done()
		os.Exit(exitCode(context.Cause(ctx)))
	case "pipe":
		_, stop := withSignals(context.Background())
		defer stop()
		_, _ = io.Copy(io.Discard, os.Stdin)
		if _, err := os.Stdout.WriteString("anybody?\n"); !errors.Is(err, syscall.EPIPE) {
			os.Exit(9)
		}
	}
}

// child starts this binary as the program, playing part, after a shell's prelude.
func child(t *testing.T, part, prelude string) (cmd *exec.Cmd, stdin io.Closer, stdout io.ReadCloser) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), "/bin/sh", "-c", prelude+` exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "SNF_TEST_CHILD="+part)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return cmd, in, out
}

func TestSignals(t *testing.T) {
	t.Parallel()
	// Children of a test that runs under nohup would inherit that SIGHUP is ignored; a
	// signal that is caught is theirs again.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	for _, tc := range []struct {
		name, prelude string
		signals       []os.Signal
		want          syscall.Signal
	}{
		{"hung up", "", []os.Signal{syscall.SIGHUP}, syscall.SIGHUP},
		{"hung up under nohup, then told to end", "trap '' HUP;", []os.Signal{syscall.SIGHUP, syscall.SIGTERM}, syscall.SIGTERM},
	} {
		cmd, _, out := child(t, "signal", tc.prelude)
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		for _, sig := range tc.signals {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 128+int(tc.want) {
			t.Errorf("%s: exit code %d, want that of %v", tc.name, got, tc.want)
		}
	}
}

func TestReaderThatGoesAwayEndsNothing(t *testing.T) {
	t.Parallel()
	cmd, in, out := child(t, "pipe", "")
	if err := errors.Join(out.Close(), in.Close()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v, want it to go on", err)
	}
}

func TestReportOfAnInvalidDeployment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(file, []byte(`{"success": true}`), 0o600); err != nil { // of an earlier run
		t.Fatal(err)
	}
	code, _, _ := commanded(t, t.Context(), nil, "deploy", "--image", "x", "--report", file)
	var got report.Deployment
	text, err := os.ReadFile(file)
	if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil {
		t.Fatal(err)
	}
	if code != 2 || got.Success || got.Failure == nil || got.Failure.Exit != 2 || got.Failure.Kind != report.Usage {
		t.Errorf("exit code %d, report %s, want a failure with code 2", code, text)
	}
}

func TestReportThatCanNotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "gone", "report.json"), dir} {
		disk := filepath.Join(dir, "disk")
		code, _, stderr := commanded(t, t.Context(), nil, "deploy", "--image", "/nonexistent", "--disk", disk, "--size", "1G", "--name", "a", "--report", path)
		if code != 2 || !strings.Contains(stderr, "error: preparing the report, on "+path) {
			t.Errorf("--report %s: exit code %d, %q, want it refused before anything else", path, code, stderr)
		}
	}
}

// TestReportThatIsTheDisk: the report would take the place of what was made, or
// of the image.
func TestReportThatIsTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk, image, link := filepath.Join(dir, "disk"), filepath.Join(dir, "image"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(image, []byte("image"), 0o600), os.Symlink(image, link)); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "pw")
	if err := os.WriteFile(secret, []byte("pw"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{disk, image, link, dir + "/./disk", secret} {
		code, _, stderr := commanded(t, t.Context(), nil, "deploy", "--image", image, "--disk", disk, "--size", "1G", "--name", "a",
			"--password-file", secret, "--report", path)
		if code != 2 || !strings.Contains(stderr, "error: preparing the report, on "+path+": it would replace ") {
			t.Errorf("--report %s: exit code %d, %q, want it refused", path, code, stderr)
		}
	}
	if text, err := os.ReadFile(image); err != nil || string(text) != "image" {
		t.Errorf("the image holds %q, %v", text, err)
	}
}

// TestReportThatIsTheNamedImage: the name of the image leads to IMAGE_DIR.
func TestReportThatIsTheNamedImage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	image, conf := filepath.Join(dir, "debian.diskdump"), filepath.Join(dir, "conf")
	if err := errors.Join(os.WriteFile(image, []byte("image"), 0o600), os.WriteFile(conf, []byte("IMAGE_DIR="+dir+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{image, conf} {
		err := run(t.Context(), nil, io.Discard, io.Discard, []string{
			"deploy", "--config", conf, "--image", "debian", "--disk", dir + "/disk", "--size", "1G", "--name", "a", "--report", path,
		})
		if report.KindOf(err) != report.Usage || !strings.Contains(err.Error(), "it would replace "+path) {
			t.Errorf("--report %s: %v, want it refused", path, err)
		}
	}
	if text, err := os.ReadFile(image); err != nil || string(text) != "image" {
		t.Errorf("the image holds %q, %v", text, err)
	}
}

func TestPropertyWithoutAName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "USERS", "=root"} {
		code, _, stderr := commanded(t, t.Context(), nil, "deploy", "--image", "a", "--disk", "b", "--name", "a", "--property", text)
		if code != 2 || !strings.Contains(stderr, "is not NAME=VALUE") {
			t.Errorf("--property %q: exit code %d, %q, want it refused", text, code, stderr)
		}
	}
}

// TestAllProblemsAtOnce names each file that cannot be read beside what is wrong with the
// rest, and asks no server for parameters that will not be used.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	for _, more := range [][]string{nil, {"--config-url", server.URL}} {
		args := append([]string{
			"deploy", "--image", "x", "--disk", "y", "--name", "bad_name", "--size", "ten",
			"--password-file", dir + "/password", "--authorized-keys", dir, "--user-data", dir + "/data",
			"--file", dir + "/a:/etc/a", "--file", "no destination", "--property", "USERS",
		}, more...)
		code, _, stderr := commanded(t, t.Context(), strings.NewReader(""), args...)
		want := []string{
			"--password-file " + dir + "/password: no such file or directory", "--authorized-keys " + dir + ": is a directory",
			"--user-data " + dir + "/data: no such file", "--file " + dir + "/a: no such file", "--file: ", `"USERS" is not NAME=VALUE`,
		}
		if more == nil {
			want = append(want, "--size: ", "bad_name", "and 7 more problems")
		}
		for _, text := range want {
			if !strings.Contains(stderr, text) {
				t.Errorf("%v: no %q in\n%s", more, text, stderr)
			}
		}
		if code != 2 {
			t.Errorf("exit code %d, want 2", code)
		}
	}
	if asked {
		t.Error("the server was asked for parameters in vain")
	}
}
