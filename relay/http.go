package relay

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// handshakeTimeout bounds the writing of the answer to a handshake.
const handshakeTimeout = 10 * time.Second

// nip11Type is the media type of a relay's information document. NIP-11.
const nip11Type = "application/nostr+json"

// Handler serves `/`: websockets, and NIP-11 for whoever accepts it. Everything else goes to the fallback.
func (r *Relay) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/" {
			r.fallback(w, req)
			return
		}
		w.Header().Add("Vary", "Accept")
		switch {
		case isUpgrade(req):
			r.upgrade(w, req)
		case req.Method == http.MethodOptions:
			allowAll(w)
			w.WriteHeader(http.StatusNoContent)
		case req.Method == http.MethodPost && mediaType(req.Header.Get("Content-Type")) == nip11Type+"+rpc":
			allowAll(w)
			problem(w, http.StatusNotFound, "relay management (NIP-86) is not served")
		case (req.Method == http.MethodGet || req.Method == http.MethodHead) && accepts(req, nip11Type):
			r.serveInformation(w, req)
		default:
			r.fallback(w, req)
		}
	})
}

// fallback hands a request on. The deadline of the request is lifted when no body is to come, so that a stream may
// answer it.
func (r *Relay) fallback(w http.ResponseWriter, req *http.Request) {
	if req.ContentLength == 0 {
		// A writer without deadlines has none to lift.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	r.d.Fallback.ServeHTTP(w, req)
}

// Server makes the HTTP server that h is served by: its timeouts end who sends headers or a body slowly.
func Server(o Options, h http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: o.HeaderTimeout,
		ReadTimeout:       o.BodyTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    o.HeaderBytes,
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	return s
}

// upgrade makes a websocket of a request, or says why not. RFC 6455 section 4.2.
func (r *Relay) upgrade(w http.ResponseWriter, req *http.Request) {
	if status, why := faultyHandshake(req); status != 0 {
		w.Header().Set("Sec-WebSocket-Version", "13")
		r.counts.refusedSockets.Add(1)
		problem(w, status, why)
		return
	}
	if !r.isOpen(req.Context()) {
		r.counts.refusedSockets.Add(1)
		problem(w, http.StatusServiceUnavailable, "the relay is going down")
		return
	}
	peer := peerOf(req, r.trusted)
	peer.Challenged, peer.Agent = r.o.URL != "", agentOf(req.UserAgent())
	release := func() {}
	if !peer.Exempt {
		var ok bool
		if release, ok = r.d.Policies.Limiter().Connect(peer.Addr); !ok {
			r.counts.refusedSockets.Add(1)
			w.Header().Set("Retry-After", "10")
			problem(w, http.StatusTooManyRequests, "too many connections from your address: close some first")
			return
		}
	}
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: handshakeTimeout}.Upgrade(req, w)
	if err != nil {
		release()
		if conn != nil {
			_ = conn.Close() // it is of no use to anybody
		}
		r.d.Log.Debug("handshake broken off", "err", err)
		return
	}
	early, err := buffered(rw.Reader)
	if err != nil || !r.serve(conn, early, peer, release) {
		release()
		_ = conn.Close() // the relay is going down
	}
}

// buffered is what the client sent right behind its handshake.
func buffered(br *bufio.Reader) ([]byte, error) {
	n := br.Buffered()
	if n == 0 {
		return nil, nil
	}
	early := make([]byte, n)
	_, err := io.ReadFull(br, early)
	return early, err
}

func isUpgrade(req *http.Request) bool { return hasToken(req.Header.Values("Upgrade"), "websocket") }

// faultyHandshake says what is wrong with a handshake, as a status and words.
func faultyHandshake(req *http.Request) (int, string) {
	switch {
	case req.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "a websocket begins with GET"
	case !req.ProtoAtLeast(1, 1) || req.ProtoMajor > 1:
		return http.StatusBadRequest, "a websocket begins with HTTP/1.1"
	case !hasToken(req.Header.Values("Connection"), "upgrade"):
		return http.StatusBadRequest, "the Connection header lacks Upgrade"
	case len(req.Header.Get("Sec-WebSocket-Key")) != 24:
		return http.StatusBadRequest, "the Sec-WebSocket-Key header is not 16 bytes in base64"
	case req.Header.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired, "version 13 of the websocket protocol is spoken here"
	}
	return 0, ""
}

func hasToken(values []string, want string) bool {
	for _, v := range values {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), want) {
				return true
			}
		}
	}
	return false
}

// accepts says whether a media type stands in the Accept header, with whatever weight but zero.
func accepts(req *http.Request, want string) bool {
	for _, v := range req.Header.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err == nil && kind == want && strings.Trim(params["q"], "0.") != "" || err == nil && kind == want && params["q"] == "" {
				return true
			}
		}
	}
	return false
}

func mediaType(header string) string {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return kind
}

// allowAll lets pages of any origin read the answer.
func allowAll(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST")
}

// problem answers with an error. RFC 9457.
func problem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
	if err != nil {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who does not read an error has left
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem(w, http.StatusNotFound, "there is nothing here")
}
