package web

import (
	"fmt"
	"slices"

	"dvmrelay/index"
)

const (
	planNodes = 22
	planEdges = 36
	planWide  = 190 // of a node
	planHigh  = 34
	planStep  = 44
	planGap   = 70
)

// plan is the graph of a thread in columns: entities, events, invoices, receipts.
type plan struct {
	Width, Height int
	Nodes         []planNode
	Edges         []planEdge
	Heads         []planHead
	More          int // nodes that are not drawn
}

type planHead struct {
	X    int
	Text string
}

type planNode struct {
	X, Y, W, H   int
	TextX, TextY int
	Text, Sub    string
	SubY         int
	Class        string
	Path         string
	ID           string
}

type planEdge struct {
	Path     string // as SVG has it
	Class    string
	From, To string // for people
	Type     string
}

var planColumns = map[string]int{index.NodeEntity: 0, index.NodeEvent: 1, index.NodeInvoice: 2, index.NodeReceipt: 3}

// drawPlan lays out the first nodes of a graph, none of them above another.
func drawPlan(p *threadPage) plan {
	g := &p.Graph
	out := plan{}
	// Money and results tell more than one more word of the same provider.
	list := slices.Clone(g.Nodes)
	slices.SortStableFunc(list, func(a, b index.GraphNode) int { return planRank(p, &a) - planRank(p, &b) })
	if len(list) > planNodes {
		out.More, list = len(list)-planNodes, list[:planNodes]
	}
	keep := make(map[string]bool, len(list))
	for i := range list {
		keep[list[i].ID] = true
	}
	var used [4]bool
	for i := range list {
		used[planColumns[list[i].Type]] = true
	}
	var x [4]int
	at := 1
	for c, name := range [...]string{"entities", "events", "invoices", "receipts"} {
		if used[c] {
			x[c] = at
			out.Heads = append(out.Heads, planHead{at, name})
			at += planWide + planGap
		}
	}
	out.Width = at - planGap/2 // what leads from event to event swings out to the right
	var rows [4]int
	nodes := make(map[string]planNode)
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if !keep[n.ID] {
			continue
		}
		c := planColumns[n.Type]
		v := planNode{X: x[c], Y: 22 + rows[c]*planStep, W: planWide, H: planHigh, Class: n.Type, ID: "node-" + itoa(len(out.Nodes))}
		v.TextX, v.TextY, v.SubY = v.X+8, v.Y+14, v.Y+28
		v.Text, v.Sub, v.Path = p.nodeWords(n)
		rows[c]++
		out.Height = max(out.Height, v.Y+planHigh+2)
		nodes[n.ID] = v
		out.Nodes = append(out.Nodes, v)
	}
	for _, e := range g.Edges {
		a, ok := nodes[e.From]
		b, has := nodes[e.To]
		if !ok || !has || len(out.Edges) == planEdges {
			continue
		}
		out.Edges = append(out.Edges, planEdge{Path: curve(a, b), Class: e.Type, From: a.Text, To: b.Text, Type: e.Type})
	}
	return out
}

// planRank says which nodes are drawn when there is no room for all.
func planRank(p *threadPage, n *index.GraphNode) int {
	switch {
	case n.EventID == p.ID || n.Type == index.NodeEntity && n.PubKey == p.Customer:
		return 0
	case n.Type == index.NodeReceipt || n.Role == "result":
		return 1
	case n.Type == index.NodeInvoice:
		return 2
	case n.Type == index.NodeEntity:
		return 3
	case n.Status == "processing":
		return 5
	}
	return 4
}

// curve leads from the right edge of a node to the left edge of one that stands further right, else from side to side.
func curve(a, b planNode) string {
	ay, by := a.Y+a.H/2, b.Y+b.H/2
	switch {
	case a.X < b.X:
		x1, x2 := a.X+a.W, b.X
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, ay, x1+planGap/2, ay, x2-planGap/2, by, x2, by)
	case a.X > b.X:
		x1, x2 := a.X, b.X+b.W
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, ay, x1-planGap/2, ay, x2+planGap/2, by, x2, by)
	}
	x := a.X + a.W
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, ay, x+planGap/2, ay, x+planGap/2, by, x, by)
}

// nodeWords are a node in words, and where it leads.
func (p *threadPage) nodeWords(n *index.GraphNode) (text, sub, path string) {
	amount := ""
	if n.AmountMsat != nil {
		amount = sats(*n.AmountMsat) + " sats"
	}
	switch n.Type {
	case index.NodeEntity:
		sub = "key"
		if n.PubKey == p.Customer {
			sub = "customer"
		} else if p.known[n.PubKey] {
			sub = "provider"
		}
		if n.PubKey == "" {
			return "not kept", sub, ""
		}
		return p.called(n.PubKey), sub, p.Who(n.PubKey).Path
	case index.NodeInvoice:
		sub = "amount open"
		if amount != "" {
			sub = amount
		}
		return "invoice", sub, ""
	case index.NodeReceipt:
		return n.Role + ", a claim", amount, p.Row(n.EventID)
	}
	text, sub = n.Role, amount
	if n.Status != "" {
		text = n.Status
		if n.Role == "result" {
			text = "result, " + n.Status
		}
	}
	if sub == "" && n.CreatedAt != 0 {
		sub = exact(n.CreatedAt)[11:19]
	}
	path = p.Row(n.EventID)
	if _, ok := p.nth[n.EventID]; !ok && n.EventID != p.ID {
		text, path = "another job", jobPath(n.EventID.String())
	}
	return shorten(text, labelChars), shorten(sub, labelChars), path
}
