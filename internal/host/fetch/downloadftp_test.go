package fetch

import (
	"errors"
	"strings"
	"testing"
)

// file is a server with a file of ten bytes.
func file(change func(*ftpServer)) *ftpServer {
	s := &ftpServer{content: digits, size: "213 10", time: "213 20060102150405", last: "226 done"}
	if change != nil {
		change(s)
	}
	return s
}

// broken is one whose data connection breaks after four bytes.
func broken(change func(*ftpServer)) *ftpServer {
	s := file(change)
	s.cut, s.last = 4, "426 broken"
	return s
}

func TestDownloadFTP(t *testing.T) {
	t.Parallel()
	full := &ftpServer{retr: "450 busy"}
	for name, tc := range map[string]struct {
		servers []*ftpServer
		resumed int
		err     string // of a failure
	}{
		"whole":           {[]*ftpServer{file(nil)}, 0, ""},
		"cut":             {[]*ftpServer{broken(nil), file(nil)}, 1, ""},
		"cut in silence":  {[]*ftpServer{broken(func(s *ftpServer) { s.last = "226 done" }), file(nil)}, 1, ""},
		"cut twice":       {[]*ftpServer{broken(nil), broken(func(s *ftpServer) { s.cut = 2 }), file(nil)}, 2, ""},
		"busy":            {[]*ftpServer{full, broken(nil), {retr: "450 busy", size: "213 10", time: "213 20060102150405"}, file(nil)}, 1, ""},
		"unknown size":    {[]*ftpServer{broken(func(s *ftpServer) { s.size = "550 no" })}, 0, `answered 426 "broken", after 4 bytes, and the server does not let it be resumed, for it does not tell size and time of the file`},
		"unknown time":    {[]*ftpServer{broken(func(s *ftpServer) { s.time = "" })}, 0, "broke off before its end, after 4 bytes, and the server does not let it be resumed"},
		"a time of noise": {[]*ftpServer{broken(func(s *ftpServer) { s.time = "213 9" })}, 0, "does not tell size and time"},
		"a size of noise": {[]*ftpServer{broken(func(s *ftpServer) { s.size = "213 -10" })}, 0, "does not tell size and time"},
		"another size":    {[]*ftpServer{broken(nil), file(func(s *ftpServer) { s.size, s.content = "213 11", digits+"0" })}, 0, ErrChanged.Error()},
		"another time":    {[]*ftpServer{broken(nil), file(func(s *ftpServer) { s.time = "213 20060102150406" })}, 0, ErrChanged.Error()},
		"no size now":     {[]*ftpServer{broken(nil), file(func(s *ftpServer) { s.size = "550 no" })}, 0, ErrChanged.Error()},
		"REST refused":    {[]*ftpServer{broken(nil), file(func(s *ftpServer) { s.rest = "502 no" })}, 0, `resuming it failed: the server answered 502 "no"`},
		"REST ignored":    {[]*ftpServer{broken(nil), file(func(s *ftpServer) { s.rest = "350 yes" })}, 1, "more than the 10 bytes it announced"},
		"longer":          {[]*ftpServer{file(func(s *ftpServer) { s.size = "213 9" })}, 0, "more than the 9 bytes it announced"},
		"shorter":         {[]*ftpServer{file(func(s *ftpServer) { s.size = "213 11" }), file(func(s *ftpServer) { s.size = "213 11" })}, 0, "in vain"},
		"gone":            {[]*ftpServer{broken(nil), {size: "213 10", time: "213 20060102150405"}}, 0, `resuming it failed: the server answered 550 "no\x1b[2J such file"`},
		"nobody":          {[]*ftpServer{broken(nil)}, 0, "connection refused, and 5 more tries were in vain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := startFTP(t, tc.servers...)
			got, resumed, notes, err := patiently(t, patient(t, "ftp://127.0.0.1"), "ftp://user:canary@"+address+"/image")
			if tc.err == "" && (err != nil || got != digits || resumed != tc.resumed) {
				t.Errorf("%q, resumed %d times, %v, want all and %d; notes: %q", got, resumed, err, tc.resumed, notes)
			}
			if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%q, %v, want an error with %q; notes: %q", got, err, tc.err, notes)
			}
			if tc.err == ErrChanged.Error() && !errors.Is(err, ErrChanged) {
				t.Errorf("%v is not ErrChanged", err)
			}
		})
	}
}

// TestMissing distinguishes a file that is not there from one that cannot be had now.
func TestMissing(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"550 no such file": true, "450 busy": false, "530 log in": false} {
		address := startFTP(t, &ftpServer{size: "213 10", time: "213 20060102150405", retr: answer})
		_, err := patient(t, "ftp://127.0.0.1").Open(t.Context(), "ftp://"+address+"/image")
		if err == nil || Missing(err) != want {
			t.Errorf("%s: %v, missing %v", answer, err, Missing(err))
		}
	}
}

// TestDownloadFTPAsks shows what a server is told when it is asked for the rest.
func TestDownloadFTPAsks(t *testing.T) {
	t.Parallel()
	again := file(nil)
	address := startFTP(t, broken(nil), again)
	if got, _, _, err := patiently(t, patient(t, "ftp://127.0.0.1"), "ftp://"+address+"/dir/image"); err != nil || got != digits {
		t.Fatalf("%q, %v", got, err)
	}
	var said []string
	for line := range again.said {
		said = append(said, line)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "SIZE dir/image\nMDTM dir/image\nEPSV\nREST 4\nRETR dir/image") {
		t.Errorf("the server was told\n%s", text)
	}
}

// TestDownloadFTPHangUp has the server hang up at each command, at first and when it is
// asked for the rest.
func TestDownloadFTPHangUp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"USER", "PASS", "FEAT", "TYPE", "SIZE", "MDTM", "EPSV", "REST", "RETR"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			rude := func() *ftpServer { return file(func(s *ftpServer) { s.hangup = command }) }
			servers := []*ftpServer{rude(), broken(nil), rude(), file(nil)}
			if command == "REST" { // which is not asked for at first
				servers = servers[1:]
			}
			got, resumed, notes, err := patiently(t, patient(t, "ftp://127.0.0.1"), "ftp://"+startFTP(t, servers...)+"/image")
			if err != nil || got != digits || resumed != 1 {
				t.Errorf("%q, resumed %d times, %v; notes: %q", got, resumed, err, notes)
			}
		})
	}
}
