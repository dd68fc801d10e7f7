package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// Client asks a running relay. It implements Verbs and is safe for concurrent use.
type Client struct {
	http *http.Client
	// Version is the version of the running relay.
	Version string
}

const dialTimeout = 5 * time.Second

// Dial looks for the relay that runs on a data directory. ErrNotRunning when nobody answers.
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	path, err := Path(dataDir)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
		},
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, dataDir)
	}
	// only a socket in a directory that no stranger could have made is believed
	if err := trusted(path); err != nil {
		return nil, err
	}
	c := &Client{http: &http.Client{Transport: transport}}
	pingCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := c.get(pingCtx, pathPing, nil)
	if err != nil {
		c.Close()
		if absent(err) {
			return nil, fmt.Errorf("%w: %s", ErrNotRunning, dataDir)
		}
		return nil, err
	}
	var pong Pong
	if err := json.Unmarshal(raw, &pong); err != nil {
		c.Close()
		return nil, fmt.Errorf("read answer of the running relay: %w", err)
	}
	c.Version = pong.Version
	return c, nil
}

// Close ends the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Thread implements Verbs.
func (c *Client) Thread(ctx context.Context, id string) (json.RawMessage, error) {
	return c.get(ctx, pathThread, url.Values{"id": {id}})
}

// Handlers implements Verbs.
func (c *Client) Handlers(ctx context.Context, query url.Values) (json.RawMessage, error) {
	return c.get(ctx, pathHandlers, query)
}

// Stats implements Verbs.
func (c *Client) Stats(ctx context.Context, query url.Values) (json.RawMessage, error) {
	return c.get(ctx, pathStats, query)
}

func (c *Client) get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	resp, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of the running relay: %w", err)
	}
	return json.RawMessage(raw), nil
}

// do sends one request; an answer that is no success comes back as its error.
func (c *Client) do(ctx context.Context, method, target string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://dvmrelay"+target, body)
	if err != nil {
		return nil, fmt.Errorf("ask the running relay: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the running relay: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // the answer is an error already
	var f fault
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&f); err != nil || f.Text == "" {
		return nil, fmt.Errorf("ask the running relay: http status %d", resp.StatusCode)
	}
	return nil, f.err()
}

// Import implements Verbs.
func (c *Client) Import(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error) {
	return c.ImportFrom(ctx, ImportSource{In: in}, progress)
}

// ImportFrom implements Verbs.
func (c *Client) ImportFrom(ctx context.Context, src ImportSource, progress func(ImportReport)) (ImportReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, hangUp := src.interruptible(ctx)
	defer hangUp()
	query := url.Values{"file": {src.File}, "from": {strconv.FormatInt(src.From, 10)}}
	resp, err := c.do(ctx, http.MethodPost, pathImport+"?"+query.Encode(), body) //nolint:bodyclose // follow closes it
	if err != nil {
		return ImportReport{}, err
	}
	return follow(ctx, "import", resp, progress)
}

// Imported implements Verbs.
func (c *Client) Imported(ctx context.Context, file string) (ImportMark, bool, error) {
	raw, err := c.get(ctx, pathImport, url.Values{"file": {file}})
	if errors.Is(err, ErrNotFound) {
		return ImportMark{}, false, nil
	}
	if err != nil {
		return ImportMark{}, false, err
	}
	var m ImportMark
	if err := json.Unmarshal(raw, &m); err != nil {
		return ImportMark{}, false, fmt.Errorf("read answer of the running relay: %w", err)
	}
	return m, true, nil
}

// Export implements Verbs.
func (c *Client) Export(ctx context.Context, f nostr.Filter, out io.Writer) error {
	resp, err := c.do(ctx, http.MethodPost, pathExport, bytes.NewReader(wire.AppendFilter(nil, f)))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	if _, err := io.Copy(out, resp.Body); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if text := resp.Trailer.Get(errorTrailer); text != "" {
		plain, err := url.QueryUnescape(text)
		if err != nil {
			plain = text
		}
		return fault{Text: plain}.err()
	}
	return nil
}
