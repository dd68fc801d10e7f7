package main

import (
	"dvmrelay/index"
	"dvmrelay/relay"
	"dvmrelay/web"
)

// nowFigure is something as it stands now.
func nowFigure[T int | int64](name, help string, v T) web.Figure {
	return web.Figure{Name: "dvmrelay_" + name, Help: help, Value: float64(v)}
}

// totalFigure is something counted since the start.
func totalFigure[T int64 | uint64](name, help string, v T) web.Figure {
	return web.Figure{Name: "dvmrelay_" + name + "_total", Help: help, Total: true, Value: float64(v)}
}

// totalsBy is a total for each value of a label.
func totalsBy[T int64 | uint64](label, name, help string, counts map[string]T) (list []web.Figure) {
	for value, n := range counts {
		f := totalFigure(name, help, n)
		f.Labels = []web.Label{{Name: label, Value: value}}
		list = append(list, f)
	}
	return list
}

// figures gives the relay's gauges the names that Prometheus knows them by.
func figures(r *relay.Relay) web.GaugesFunc {
	return func() []web.Figure {
		g := r.Gauges()
		now, total := nowFigure[int64], totalFigure[int64]
		out := []web.Figure{
			now("relay_sockets", "Open websockets.", g.Sockets),
			now("relay_subscriptions", "Live subscriptions.", g.Subscriptions),
			now("relay_inflight_events", "Events being judged.", g.InFlight),
			now("relay_waiting_reqs", "REQ and COUNT waiting for their answer.", g.Answering),
			now("relay_negotiations", "Open reconciliations (NIP-77).", g.Negotiations),
			now("relay_negotiation_bytes", "Memory that reconciliations hold.", g.NegBytes),
			now("relay_unannounced_commits", "Commits not yet told to live subscribers.", g.AnnounceQueued),
			total("relay_opened_sockets", "Websockets opened.", g.Opened),
			total("relay_refused_sockets", "Websocket handshakes refused.", g.RefusedSockets),
			total("relay_messages", "Messages received.", g.Messages),
			total("relay_malformed_messages", "Messages that could not be read.", g.Malformed),
			total("relay_received_bytes", "Bytes received over websockets.", g.BytesIn),
			total("relay_sent_bytes", "Bytes sent over websockets.", g.BytesOut),
			total("relay_writes", "System calls that sent something.", g.Writes),
			total("relay_reqs", "REQ messages.", g.Reqs),
			total("relay_counts", "COUNT messages.", g.Counts),
			total("relay_negotiations_opened", "NEG-OPEN messages.", g.NegOpens),
			total("relay_negotiation_answers", "NEG-MSG messages sent.", g.NegAnswers),
			total("relay_closed", "CLOSED messages sent.", g.Closed),
			total("relay_stored_events_sent", "Stored events sent.", g.StoredSent),
			total("relay_live_events_sent", "Live events sent.", g.Delivered),
			total("relay_auths", "Keys that authenticated.", g.Auths),
			total("relay_failed_auths", "AUTH messages refused.", g.AuthFails),
			total("relay_verified_signatures", "Signatures checked.", g.Verified),
			total("relay_shared_signatures", "Events for which the check of another copy stood.", g.SharedChecks),
			total("relay_bad_signatures", "Signatures that were wrong.", g.BadSignatures),
			total("relay_accepted_events", "Events accepted.", g.Accepted),
			total("relay_duplicate_events", "Events that were here already.", g.Duplicates),
		}
		out = append(out, totalsBy("reason", "relay_dropped_sockets", "Websockets ended by the relay, by reason.", g.Dropped)...)
		out = append(out, totalsBy("prefix", "relay_negotiations_refused", "NEG-ERR messages sent, by prefix.", g.NegRefused)...)
		out = append(out, totalsBy("prefix", "relay_refused_events", "Events refused, by NIP-01 prefix.", g.Refused)...)
		return append(out, totalsBy("rule", "policies_refusals", "Refusals by rule.", g.RefusedByRule)...)
	}
}

// sighted are the figures of what is gathered about who had which events.
func sighted(s *index.Sightings) web.GaugesFunc {
	return func() []web.Figure {
		st := s.Stats()
		total := func(outcome string, n uint64) web.Figure {
			return web.Figure{
				Name: "dvmrelay_index_sightings_total", Help: "Sightings of events at a source, by what became of them.", Total: true,
				Labels: []web.Label{{Name: "outcome", Value: outcome}}, Value: float64(n),
			}
		}
		return []web.Figure{
			{Name: "dvmrelay_index_pending_sightings", Help: "Events whose sources wait to be written.", Value: float64(st.Pending)},
			total("written", st.Written), total("unchanged", st.Unchanged), total("unknown", st.Unknown), total("dropped", st.Dropped),
		}
	}
}
