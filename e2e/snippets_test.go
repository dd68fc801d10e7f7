package e2e

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a reader of /connect writes around a snippet to run it with node. Whatever is not the hub is out of reach.
const (
	beforeSnippet = `import './node18.mjs'
import WebSocket from 'ws'
import { bytesToHex } from 'nostr-tools/utils'
import NDK, { NDKEvent, NDKPrivateKeySigner } from '@nostr-dev-kit/ndk'
import { key, print } from './common.mjs'

const [hub, role] = process.argv.slice(2)
globalThis.WebSocket = class extends WebSocket {
  constructor(url, ...more) {
    super(new URL(url).host === new URL(hub).host ? url : 'ws://127.0.0.1:9', ...more)
  }
}
const self = await key(role)
const signer = new NDKPrivateKeySigner(bytesToHex(self.secret))
`
	aroundProvider = beforeSnippet + `const answer = async job => {
  const about = [['e', job.id], ['p', job.pubkey]]
  const working = new NDKEvent(ndk, { kind: 7000, content: '', tags: [['status', 'processing'], ...about] })
  await working.publish()
  const done = new NDKEvent(ndk, { kind: job.kind + 1000, content: 'It passes on what it is given: ' + job.tagValue('i'), tags: [['request', JSON.stringify(job.rawEvent())], ...about] })
  await done.publish()
  print({ job: job.id, by: self.pubkey, answers: [working.id, done.id] })
  process.exit(0) // the library keeps sockets
}

%s
print({ ready: true })
`
	aroundClient = beforeSnippet + `const show = event => {
  print({ kind: event.kind, id: event.id, by: event.pubkey, content: event.content })
  if (event.kind === 6050) process.exit(0) // the library keeps sockets
}

%s
print({ job: job.id, by: self.pubkey })
`
	// aroundTyped is for the compiler alone.
	aroundTyped = `import NDK, { NDKEvent, type NDKSigner } from "@nostr-dev-kit/ndk";
declare const signer: NDKSigner;
declare const answer: (job: NDKEvent) => Promise<void>;
declare const show: (event: NDKEvent) => void;
export {};

%s
`
)

// page is a page of the hub as a browser gets it.
func (h *hub) page(path string) string {
	h.t.Helper()
	resp, err := http.Get(h.http(path))
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
	return string(body)
}

// snippet is the text that a reader copies out of the box under a heading, in the section of a name.
func snippet(t *testing.T, page, section, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<h2 id="`+section+`">`)
	rest, _, end := strings.Cut(rest, "</section>")
	m := regexp.MustCompile(`<h3>` + regexp.QuoteMeta(heading) + `</h3>\s*<pre[^>]*>([^<]*)</pre>`).FindStringSubmatch(rest)
	if !ok || !end || m == nil {
		t.Fatalf("the page has no %s under %s:\n%s", heading, section, rest)
	}
	return html.UnescapeString(m[1])
}

// besideClients makes a directory in which a program finds what the clients find.
func besideClients(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"node_modules", "package.json", "common.mjs", "node18.mjs"} {
		target, err := filepath.Abs(filepath.Join("clients", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// written puts a snippet into what is around it.
func written(t *testing.T, dir, name, around, snippet string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, fmt.Appendf(nil, around, snippet), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestConnect_SnippetsForNDKDoAJob runs what /connect tells the author of a DVM and of a client to write, one against the other.
func TestConnect_SnippetsForNDKDoAJob(t *testing.T) {
	h := newHub(t)
	h.start()
	page, dir := h.page("/connect"), besideClients(t)
	ofProvider, ofClient := snippet(t, page, "dvm", "NDK (TypeScript)"), snippet(t, page, "client", "NDK (TypeScript)")

	var ready struct{ Ready bool }
	provider := node(t, written(t, dir, "provider.mjs", aroundProvider, ofProvider), h.ws(), "snippet provider")
	provider.next(&ready)
	client := node(t, written(t, dir, "client.mjs", aroundClient, ofClient), h.ws(), "snippet client")

	type line struct {
		Job, By, ID, Content string
		Kind                 int
		Answers              []string
	}
	var worked, asked line
	var shown []line
	for len(shown) == 0 || shown[len(shown)-1].Kind != 6050 {
		var l line
		if client.next(&l); l.Job != "" {
			asked = l
			continue
		}
		shown = append(shown, l)
	}
	client.end()
	provider.next(&worked)
	provider.end()

	if asked.Job == "" || worked.Job != asked.Job || len(worked.Answers) != 2 {
		t.Fatalf("the client asked for %+v, the provider worked on %+v", asked, worked)
	}
	for _, l := range shown {
		if l.By != worked.By || !slices.Contains(worked.Answers, l.ID) {
			t.Errorf("the client was shown %+v, the provider sent %v", l, worked.Answers)
		}
	}
	if last := shown[len(shown)-1]; last.ID != worked.Answers[1] || last.Content != "It passes on what it is given: What is a relay?" {
		t.Errorf("the client was shown the result %+v, want %s", last, worked.Answers[1])
	}
	j, err := h.api(asked.Job)
	if err != nil {
		t.Fatal(err)
	}
	if j.Kind != 5050 || j.State != "success" || j.Customer != asked.By || len(j.Events) != 3 || len(j.Providers) != 1 || j.Providers[0].Pubkey != worked.By {
		t.Errorf("the hub has\n%s\nwant a success of %s for %s", j.digest(), worked.By, asked.By)
	}
}

// TestConnect_SnippetsForNDKAreTypeScript has the compiler read them, as strictly as it can.
func TestConnect_SnippetsForNDKAreTypeScript(t *testing.T) {
	h := newHub(t)
	h.start()
	page, dir := h.page("/connect"), besideClients(t)
	args := []string{
		filepath.Join("node_modules", "typescript", "bin", "tsc"), "--noEmit", "--strict", "--skipLibCheck",
		"--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext",
	}
	for _, section := range []string{"dvm", "client"} {
		args = append(args, written(t, dir, section+".mts", aroundTyped, snippet(t, page, section, "NDK (TypeScript)")))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	tsc := exec.CommandContext(ctx, "node", args...)
	tsc.Dir = dir
	if said, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, said)
	}
}
