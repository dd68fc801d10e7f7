package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes verbs over a real store. Events enter as they would through a relay that only checks ids and signatures.
func open(t *testing.T) (*Local, *storetest.Running) {
	t.Helper()
	ix := index.New(index.Options{KeepCustomer: true})
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer = ix }), storetest.Check(ix.Check))
	if err := ix.Settle(context.Background(), s.Store); err != nil {
		t.Fatal(err)
	}
	return &Local{Store: s.Store, Index: ix, Submit: submitTo(s)}, s
}

func submitTo(s *storetest.Running) func(context.Context, *nip90.Parsed) mirror.Verdict {
	return func(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
		if !wire.CheckID(p.Event) || !wire.VerifySignature(p.Event, p.ID) {
			return mirror.Verdict{Outcome: mirror.Refused, Reason: "invalid"}
		}
		out, _, err := s.Save(ctx, p)
		if err != nil {
			return mirror.Verdict{Outcome: mirror.Failed, Err: err}
		}
		switch out {
		case store.Stored:
			return mirror.Verdict{Outcome: mirror.Stored}
		case store.Duplicate:
			return mirror.Verdict{Outcome: mirror.Duplicate}
		case store.Deleted:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonDeleted}
		case store.FactOnly:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonFactOnly}
		default:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonStale}
		}
	}
}

// running serves verbs on the socket of a data directory, and gives a client of it.
func running(t *testing.T, dir string, v Verbs) *Client {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, New(v, "test", nil)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
		if path, _ := Path(dir); exists(path) {
			t.Errorf("socket %s is still there", path)
		}
	})
	c, err := Dial(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func extraFields(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/real-events-extra-fields.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSocket_ModeAndPlace(t *testing.T) {
	dir := t.TempDir()
	c := running(t, dir, &Local{})
	if c.Version != "test" {
		t.Errorf("version %q, want test", c.Version)
	}
	info, err := os.Lstat(filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("socket mode %o, want 600", got)
	}
}

func TestSocket_LongPathGoesToTheRuntimeDirectory(t *testing.T) {
	run, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	t.Setenv("XDG_RUNTIME_DIR", run)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, err := Path(dir)
	if err != nil || filepath.Dir(path) != run || len(path) > maxSocketPath {
		t.Fatalf("Path = %q, %v, want a short one in %s", path, err, run)
	}
	running(t, dir, &Local{})
	if other, _ := Path(dir + "/other"); other == path {
		t.Error("two data directories share a socket")
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if path, err := Path(dir); err != nil || !strings.HasPrefix(path, os.TempDir()) {
		t.Errorf("without XDG_RUNTIME_DIR: %q, %v, want one under %s", path, err, os.TempDir())
	}
}

func TestSocket_StaleFileIsReplacedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName)})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Dial on a stale socket = %v, want ErrNotRunning", err)
	}
	running(t, dir, &Local{})
	if l, err := Listen(dir); err == nil {
		t.Error("a second process took over a socket that is answered")
		_ = l.Close()
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, socketName), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(other); err == nil {
		t.Error("a file that is no socket was replaced")
		_ = l.Close()
	}
}

func TestDial_NobodyThere(t *testing.T) {
	for name, dir := range map[string]string{"empty": t.TempDir(), "absent": filepath.Join(t.TempDir(), "none")} {
		t.Run(name, func(t *testing.T) {
			if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNotRunning) {
				t.Errorf("Dial = %v, want ErrNotRunning", err)
			}
		})
	}
}

// TestVerbs_SameBesideAndAlone asks everything twice: of the open store, and through the socket.
func TestVerbs_SameBesideAndAlone(t *testing.T) {
	ctx := context.Background()
	local, s := open(t)
	client := running(t, t.TempDir(), local)
	put := func(kind int, key, content string, tags ...nostr.Tag) string {
		p := storetest.Parsed(t, nostr.Event{Kind: kind, PubKey: strings.Repeat(key, 32), CreatedAt: 1_700_000_000, Content: content, Tags: tags})
		s.Put(t, p)
		return p.Event.ID
	}
	request := put(5050, "aa", "", nostr.Tag{"i", "a <b>fox</b> & more", "text"})
	answer := put(6050, "bb", "", nostr.Tag{"e", request}, nostr.Tag{"p", strings.Repeat("aa", 32)})
	put(31990, "bb", `{"name":"Fox"}`, nostr.Tag{"d", "fox"}, nostr.Tag{"k", "5050"})
	for _, v := range []struct {
		name  string
		verbs Verbs
	}{{"alone", local}, {"beside", client}} {
		t.Run(v.name, func(t *testing.T) {
			raw, err := v.verbs.Thread(ctx, answer)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(raw, []byte("a <b>fox</b> & more")) {
				t.Errorf("thread = %s, want the input as it is", raw)
			}
			same, _ := local.Thread(ctx, request)
			if d := cmp.Diff(string(same), string(raw)); d != "" {
				t.Errorf("thread differs: %s", d)
			}
			handlers, err := v.verbs.Handlers(ctx, url.Values{"kind": {"5050"}})
			if err != nil || !bytes.Contains(handlers, []byte(`"name":"Fox"`)) {
				t.Errorf("handlers = %s, %v, want Fox", handlers, err)
			}
			stats, err := v.verbs.Stats(ctx, url.Values{"window": {"all"}})
			if err != nil || !bytes.Contains(stats, []byte(`"requests":1`)) {
				t.Errorf("stats = %s, %v, want one request", stats, err)
			}
			for name, fault := range map[string]struct {
				ask  func() error
				want error
			}{
				"unseen job":   {func() error { _, err := v.verbs.Thread(ctx, strings.Repeat("0", 64)); return err }, ErrUsage},
				"unknown job":  {func() error { _, err := v.verbs.Thread(ctx, strings.Repeat("1", 64)); return err }, ErrNotFound},
				"no id":        {func() error { _, err := v.verbs.Thread(ctx, "fox"); return err }, ErrUsage},
				"bad kind":     {func() error { _, err := v.verbs.Handlers(ctx, url.Values{"kind": {"x"}}); return err }, ErrUsage},
				"bad window":   {func() error { _, err := v.verbs.Stats(ctx, url.Values{"window": {"2h"}}); return err }, ErrUsage},
				"bad cursor":   {func() error { _, err := v.verbs.Handlers(ctx, url.Values{"cursor": {"?"}}); return err }, ErrUsage},
				"search":       {func() error { return v.verbs.Export(ctx, nostr.Filter{Search: "x"}, io.Discard) }, ErrUsage},
				"since, until": {func() error { _, err := v.verbs.Stats(ctx, url.Values{"since": {"9"}, "until": {"5"}}); return err }, ErrUsage},
				"bad provider": {func() error { _, err := v.verbs.Stats(ctx, url.Values{"provider": {"fox"}}); return err }, ErrUsage},
				"bad exclude":  {func() error { _, err := v.verbs.Stats(ctx, url.Values{"exclude_kind": {"5300,x"}}); return err }, ErrUsage},
				"bad sort":     {func() error { _, err := v.verbs.Handlers(ctx, url.Values{"sort": {"beauty"}}); return err }, ErrUsage},
			} {
				if err := fault.ask(); !errors.Is(err, fault.want) {
					t.Errorf("%s = %v, want %v", name, err, fault.want)
				}
			}
		})
	}
}
