package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// An import that waits for its input ends at SIGINT, with the status that scripts know an interruption by.
func TestImport_InterruptedExits130(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cmd := exec.Command("dvmrelay", "import", "--data-dir", dir, "-")
	cmd.Env = append(cmd.Environ(), "DVMRELAY_MIRROR_UPSTREAMS=", noRaceSleep)
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	within30s(t, "data directory", func() bool {
		_, err := os.Stat(filepath.Join(dir, "MANIFEST"))
		return err == nil
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want exit status %d\n%s", err, exitInterrupted, log)
	}
}

// A sync with a relay that takes its time ends soon after SIGINT, with that status.
func TestSync_InterruptedExits130(t *testing.T) {
	asked := make(chan struct{}, 10)
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			http.NotFound(w, r)
			return
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		for {
			if _, _, err := ws.Read(r.Context()); err != nil {
				return
			}
			asked <- struct{}{}
		}
	}))
	t.Cleanup(mute.Close)
	cmd := exec.Command("dvmrelay", "sync", "--data-dir", filepath.Join(t.TempDir(), "data"), "ws"+strings.TrimPrefix(mute.URL, "http"))
	cmd.Env = append(cmd.Environ(), "DVMRELAY_MIRROR_UPSTREAMS=", noRaceSleep)
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing was asked within 30 s\n%s", log)
	}
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ended %s after the signal, want about a second", took)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want exit status %d\n%s", err, exitInterrupted, log)
	}
	if !strings.Contains(log.String(), "interrupted") {
		t.Errorf("it does not say what was not read:\n%s", log)
	}
}

// A relay whose data directory was taken away cannot close its store; a second signal ends it all the same.
func TestServe_ASecondSignalEndsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := startHub(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.cmd.Wait() // it says by which signal it ended, or that the store did not close
	}()
	for begun := time.Now(); ; {
		// the first is the one that it ends by; it may end by it, too
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case <-ended:
			p.dead = true
			return
		case <-time.After(time.Second):
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("still there 30 s after the first of many signals\n%s", p.log)
		}
	}
}
