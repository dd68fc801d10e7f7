package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
