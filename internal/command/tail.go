package command

import "bytes"

// Tail keeps the last bytes of what is written to it.
type Tail struct {
	Max int // bytes
	b   bytes.Buffer
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.b.Write(p)
	if over := t.b.Len() - t.Max; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

// Text returns the last bytes, at most n, without the white space around them.
func (t *Tail) Text(n int) string {
	b := bytes.TrimSpace(t.b.Bytes())
	return string(b[len(b)-min(len(b), n):])
}
