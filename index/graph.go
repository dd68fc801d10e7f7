package index

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// The types of nodes and edges, in DVMDash's words. CHAINS_TO and CANCELS are ours.
const (
	NodeEntity  = "Entity"
	NodeEvent   = "Event"
	NodeInvoice = "Invoice"
	NodeReceipt = "PaymentReceipt"

	EdgeMakesEvent  = "MAKES_EVENT"
	EdgeFeedbackFor = "FEEDBACK_FOR"
	EdgeResultFor   = "RESULT_FOR"
	EdgeHasInvoice  = "HAS_INVOICE"
	EdgeHasReceipt  = "HAS_RECEIPT" // from the invoice that was paid, or, when that is not known, from the job
	EdgePaymentFrom = "PAYMENT_FROM"
	EdgePaymentTo   = "PAYMENT_TO"
	EdgeChainsTo    = "CHAINS_TO" // from the job whose result another takes in
	EdgeCancels     = "CANCELS"
)

// maxNodes bounds a graph.
const maxNodes = 2000

// Graph is a thread as nodes and the edges between them.
type Graph struct {
	Root  nip90.ID    `json:"root"`
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	More  bool        `json:"more,omitempty"` // not all of the thread is here
}

// GraphNode is a key, an event, an invoice or a receipt. What does not apply to its type is empty.
type GraphNode struct {
	ID         string   `json:"id"`   // within the graph
	Type       string   `json:"type"` // one of the Node constants
	PubKey     string   `json:"pubkey,omitempty"`
	Name       string   `json:"name,omitempty"`
	EventID    nip90.ID `json:"event_id,omitzero"`
	Kind       int      `json:"kind,omitempty"`
	Role       string   `json:"role,omitempty"`
	Status     string   `json:"status,omitempty"`
	CreatedAt  int64    `json:"created_at,omitempty"`
	Expired    bool     `json:"expired,omitempty"`
	AmountMsat *int64   `json:"amount_msat,omitempty"`
	ExpiresAt  int64    `json:"expires_at,omitempty"`
	Bolt11     string   `json:"bolt11,omitempty"`
}

// GraphEdge leads from one node to another, by their ids.
type GraphEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"` // one of the Edge constants
}

// Graph draws the thread that an event belongs to; false for an id that belongs to no thread known here. It has at most
// as many events as Thread, and at most 2000 nodes; More says that there are others.
func (x *Index) Graph(r store.Reader, id nip90.ID) (Graph, bool, error) {
	t, ok, err := x.Thread(r, id)
	if err != nil || !ok {
		return Graph{}, false, err
	}
	g, err := x.draw(r, &t)
	return g, err == nil, err
}

// draw makes a graph of a thread with its events.
func (x *Index) draw(r store.Reader, t *Thread) (Graph, error) {
	d := drawing{
		Graph: Graph{Root: t.ID, Nodes: []GraphNode{}, Edges: []GraphEdge{}, More: t.More},
		nodes: make(map[string]bool), edges: make(map[GraphEdge]bool), names: make(map[string]string),
	}
	for _, p := range t.Providers {
		d.names[p.PubKey] = p.Name
	}
	d.event(&Entry{ID: t.ID, Kind: t.Kind, PubKey: t.Customer, CreatedAt: t.CreatedAt, Role: nip90.RoleRequest.String(), Expired: expired(t.ExpiresAt, x.now(0))})
	// Asks come before the receipts that pay them, whatever their clocks say.
	for i := range t.Events {
		if e := &t.Events[i]; !isMoney(e.Role) && e.ID != t.ID {
			d.event(e)
			d.answer(t, e)
		}
		d.invoice(&t.Events[i])
	}
	for i := range t.Events {
		if e := &t.Events[i]; isMoney(e.Role) {
			if err := d.receipt(r, t, e, x.o.KeepCustomer); err != nil {
				return Graph{}, err
			}
		}
	}
	for _, id := range t.ChainedFrom {
		d.chain(id, t.ID)
	}
	for _, id := range t.ChainedTo {
		d.chain(t.ID, id)
	}
	return d.Graph, nil
}

func isMoney(role string) bool {
	return role == nip90.RoleZap.String() || role == nip90.RoleNutzap.String() || role == nip90.RoleRefund.String()
}

// drawing is a graph being drawn.
type drawing struct {
	Graph
	nodes map[string]bool
	edges map[GraphEdge]bool
	names map[string]string // of keys
}

// node adds a node once; false when there is no room for it.
func (d *drawing) node(n GraphNode) bool {
	if d.nodes[n.ID] {
		return true
	}
	if len(d.Nodes) == maxNodes {
		d.More = true
		return false
	}
	d.nodes[n.ID] = true
	d.Nodes = append(d.Nodes, n)
	return true
}

// edge adds an edge once, between nodes that are there.
func (d *drawing) edge(from, to, kind string) {
	e := GraphEdge{from, to, kind}
	if d.edges[e] || !d.nodes[from] || !d.nodes[to] {
		return
	}
	d.edges[e] = true
	d.Edges = append(d.Edges, e)
}

func (d *drawing) entity(pubkey string) string {
	id := "entity:" + pubkey
	if pubkey != "" {
		d.node(GraphNode{ID: id, Type: NodeEntity, PubKey: pubkey, Name: d.names[pubkey]})
	}
	return id
}

func eventNode(id nip90.ID) string { return "event:" + id.String() }

func (d *drawing) event(e *Entry) {
	id := eventNode(e.ID)
	if d.node(GraphNode{
		ID: id, Type: NodeEvent, EventID: e.ID, PubKey: e.PubKey, Kind: e.Kind, Role: e.Role, Status: e.Status,
		CreatedAt: e.CreatedAt, Expired: e.Expired, AmountMsat: e.AmountMsat,
	}) {
		d.edge(d.entity(e.PubKey), id, EdgeMakesEvent)
	}
}

// answer ties an event to the request.
func (d *drawing) answer(t *Thread, e *Entry) {
	kinds := map[string]string{
		nip90.RoleFeedback.String(): EdgeFeedbackFor, nip90.RoleResult.String(): EdgeResultFor, nip90.RoleCancel.String(): EdgeCancels,
	}
	if kind, ok := kinds[e.Role]; ok {
		d.edge(eventNode(e.ID), eventNode(t.ID), kind)
	}
}

// meaning parses the body of an entry again; nil when it is not shown.
func meaning(e *Entry) nip90.Message {
	var evt nostr.Event
	if e.Event == nil || json.Unmarshal(e.Event, &evt) != nil {
		return nil
	}
	m, err := nip90.Parse(&evt)
	if err != nil {
		return nil
	}
	return m
}

func invoiceNode(bolt11 string) string {
	sum := sha256.Sum256([]byte(bolt11))
	return "invoice:" + hex.EncodeToString(sum[:16])
}

func (d *drawing) invoice(e *Entry) {
	if e.AmountMsat == nil {
		return
	}
	var ask nip90.Ask
	switch m := meaning(e).(type) {
	case *nip90.Feedback:
		ask = m.Ask
	case *nip90.Result:
		ask = m.Ask
	default:
		return
	}
	if ask.Bolt11 == "" {
		return
	}
	n := GraphNode{ID: invoiceNode(ask.Bolt11), Type: NodeInvoice, Bolt11: ask.Bolt11}
	if ask.Invoice != nil {
		msat := int64(ask.Invoice.Msat)
		n.AmountMsat, n.ExpiresAt = &msat, ask.Invoice.ExpiresAt()
	}
	if d.node(n) {
		d.edge(eventNode(e.ID), n.ID, EdgeHasInvoice)
	}
}

// receipt ties a payment to what it pays, and to who paid whom as its fact remembers.
func (d *drawing) receipt(r store.Reader, t *Thread, e *Entry, keepCustomer bool) error {
	id := "receipt:" + e.ID.String()
	if !d.node(GraphNode{
		ID: id, Type: NodeReceipt, EventID: e.ID, PubKey: e.PubKey, Kind: e.Kind, Role: e.Role, CreatedAt: e.CreatedAt,
		Expired: e.Expired, AmountMsat: e.AmountMsat,
	}) {
		return nil
	}
	paid := eventNode(t.ID)
	if m, ok := meaning(e).(*nip90.Zap); ok && d.nodes[invoiceNode(m.Bolt11)] {
		paid = invoiceNode(m.Bolt11)
	}
	d.edge(paid, id, EdgeHasReceipt)
	d.edge(d.entity(e.PubKey), id, EdgeMakesEvent)
	if !keepCustomer && e.Event == nil {
		return nil // one of the two keys is the customer's
	}
	f, ok, err := r.Fact(e.ID)
	if err != nil || !ok {
		return err
	}
	for i, kind := range [...]string{EdgePaymentFrom, EdgePaymentTo} {
		if i >= len(f.People) || f.People[i].IsZero() {
			continue
		}
		pk, err := unveiled(r, f.People[i])
		if err != nil {
			return err
		}
		if !store.IsPseudonym(pk) {
			d.edge(id, d.entity(pk.String()), kind)
		}
	}
	return nil
}

// chain ties a job to one that takes its result in.
func (d *drawing) chain(from, to nip90.ID) {
	for _, id := range [...]nip90.ID{from, to} {
		d.node(GraphNode{ID: eventNode(id), Type: NodeEvent, EventID: id, Role: nip90.RoleRequest.String()})
	}
	d.edge(eventNode(from), eventNode(to), EdgeChainsTo)
}
