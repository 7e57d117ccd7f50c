package worker

import (
	"encoding/hex"
	"testing"
)

// TestDigestOfNothing holds the hash against what the authors of BLAKE3 publish
// (BLAKE3 test vectors, input_len 0).
func TestDigestOfNothing(t *testing.T) {
	t.Parallel()
	const want = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
	if got := hex.EncodeToString(newDigest().h.Sum(nil)); got != want {
		t.Errorf("the hash of nothing = %s, want %s", got, want)
	}
}
