package e2e

import (
	"slices"
	"testing"
)

// A customer follows a job over the API while it is played, and comes back for what it missed.
func TestStream_CustomerFollowsAJob(t *testing.T) {
	h := newHub(t)
	h.start()
	var got struct{ States []string }
	ask(t, &got, "stream.mjs", h.ws(), h.http(""))
	if want := []string{"open", "processing", "success"}; !slices.Equal(got.States, want) {
		t.Errorf("the stream told %v, want %v", got.States, want)
	}
}
