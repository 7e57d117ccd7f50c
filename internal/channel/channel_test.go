package channel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/channel"
)

func frame(s string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(s)))
	return append(b, s...)
}

func TestReadReturnsWhatWriteSent(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	hello := channel.HelloBody{Version: channel.Version, Release: "1.0", Nonce: "n", Digest: "d"}
	if err := channel.Write(&wire, channel.Hello, hello, channel.MaxUp); err != nil {
		t.Fatal(err)
	}
	if err := channel.Write(&wire, channel.DiskReady, channel.DiskReadyBody{}, channel.MaxDown); err != nil {
		t.Fatal(err)
	}
	r := channel.NewHostReader(&wire)
	var types []channel.Type
	for {
		m, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, m.Type)
	}
	if diff := cmp.Diff([]channel.Type{channel.Hello, channel.DiskReady}, types); diff != "" {
		t.Errorf("messages read (-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		wire []byte
		want error // nil: any error
	}{
		{"frame beyond the limit", []byte{0, 1, 0, 1}, channel.ErrTooLong},
		{"largest length", []byte{255, 255, 255, 255}, channel.ErrTooLong},
		{"end inside the length", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"end inside the body", frame(`{"type":"hello"}`)[:10], io.ErrUnexpectedEOF},
		{"end after the length", []byte{0, 0, 0, 5}, io.ErrUnexpectedEOF},
		{"not JSON", frame("garbage"), nil},
		{"not an object", frame("[1]"), nil},
		{"no type", frame(`{"body":1}`), nil},
		{"empty frame", frame(""), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := channel.NewHostReader(bytes.NewReader(tt.wire)).Read()
			if err == nil {
				t.Fatalf("Read() = %+v, want an error", m)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Read() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestReadBoundsTheConversation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		max  int // frames that must pass
	}{
		{"number of frames", `{"type":"event"}`, channel.MaxUpFrames},
		{"bytes in all", `{"type":"event","body":"` + strings.Repeat("x", channel.MaxUp-100) + `"}`, channel.MaxUpTotal / channel.MaxUp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := channel.NewHostReader(&endless{frame: frame(tt.body)})
			for i := range 2 * tt.max {
				if _, err := r.Read(); err != nil {
					if !errors.Is(err, channel.ErrTooMany) || i < tt.max {
						t.Errorf("Read() number %d = %v, want ErrTooMany after %d", i, err, tt.max)
					}
					return
				}
			}
			t.Errorf("%d frames read without an end", 2*tt.max)
		})
	}
}

// endless repeats one frame for ever.
type endless struct {
	frame []byte
	pos   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.frame[e.pos:])
	e.pos = (e.pos + n) % len(e.frame)
	return n, nil
}

func TestWriteRefusesAMessageBeyondTheLimit(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	err := channel.Write(&wire, channel.Event, strings.Repeat("x", channel.MaxUp), channel.MaxUp)
	if !errors.Is(err, channel.ErrTooLong) || wire.Len() != 0 {
		t.Errorf("Write() = %v with %d bytes sent, want ErrTooLong and none", err, wire.Len())
	}
}

// FuzzRead feeds both ends: whatever arrives, a reader ends with an error and
// never returns a message without a type.
func FuzzRead(f *testing.F) {
	f.Add(frame(`{"type":"hello","body":{"version":1}}`))
	f.Add([]byte{0, 1, 0, 1})
	f.Add(frame(`{"type":""}`))
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, r := range []*channel.Reader{
			channel.NewHostReader(bytes.NewReader(wire)), channel.NewAgentReader(bytes.NewReader(wire)),
		} {
			for {
				m, err := r.Read()
				if err != nil {
					break
				}
				if m.Type == "" {
					t.Fatal("message without a type")
				}
			}
		}
	})
}
