package browser

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
)

// patience is how long anything here may take; a busy machine is slow, a broken page is for ever.
const patience = 30 * time.Second

// relayBinary is the dvmrelay that TestMain built, browserCtx the one chromium that all tests share, shotsDir where pictures of
// the screens go. Nothing but TestMain writes them.
var (
	relayBinary string
	shotsDir    string
	browserCtx  context.Context
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dvmrelay-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if shotsDir, err = filepath.Abs(orElse(os.Getenv("DVMRELAY_SHOTS"), "shots")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	relayBinary = filepath.Join(dir, "dvmrelay")
	build := exec.Command("go", "build", "-o", relayBinary, "./cmd/dvmrelay")
	build.Dir = filepath.Join("..", "..")
	build.Stderr, build.Stdout = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build dvmrelay:", err)
		return 1
	}
	stop, err := startBrowser(filepath.Join(dir, "profile"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return m.Run()
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// startBrowser starts chromium in a process group of its own and connects to it.
func startBrowser(profile string) (stop func(), err error) {
	binary, err := exec.LookPath(orElse(os.Getenv("DVMRELAY_CHROMIUM"), "chromium"))
	if err != nil {
		return nil, fmt.Errorf("chromium is missing (Debian has it in: chromium): %w", err)
	}
	if err := os.Mkdir(profile, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-dev-shm-usage", "--metrics-recording-only",
		"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
		"--password-store=basic", "--use-mock-keychain", "--hide-scrollbars", "--force-color-profile=srgb", "--mute-audio", "--js-flags=--expose-gc",
		"--enable-precise-memory-info", "--user-data-dir="+profile, "--remote-debugging-port=0", "about:blank")
	said := &logBuffer{}
	cmd.Stdout, cmd.Stderr = said, said
	end, err := spawn(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	address, err := debugAddress(filepath.Join(profile, "DevToolsActivePort"))
	if err != nil {
		end()
		return nil, fmt.Errorf("%s does not listen: %w\n%s", binary, err, said)
	}
	allocator, cancel := remote.NewAllocator(context.Background(), address, remote.NoModifyURL)
	ctx, done := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		end()
		return nil, fmt.Errorf("connect to %s: %w\n%s", binary, err, said)
	}
	browserCtx = ctx
	return func() {
		done()
		cancel()
		end()
	}, nil
}

// debugAddress waits for the file in which chromium writes the port that it took.
func debugAddress(file string) (string, error) {
	for end := time.Now().Add(patience); ; {
		text, err := os.ReadFile(file)
		if port, path, ok := strings.Cut(strings.TrimSpace(string(text)), "\n"); ok {
			return "ws://127.0.0.1:" + port + path, nil
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("after %s: %w", patience, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// spawner starts processes from one thread that lives as long as the tests, because the kernel ends a child with the thread
// that started it. So nothing stays behind even if the tests are killed.
var spawner = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

// spawn starts cmd as the head of a process group; end kills the group and waits.
func spawn(cmd *exec.Cmd) (end func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = cmd.Wait()                                      // killed, as was meant
	}), nil
}

// logBuffer keeps what a process printed. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex // guards below
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
