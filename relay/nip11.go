package relay

import (
	"encoding/json"
	"net/http"
)

// Information is the document of NIP-11. A limit that is not in force is absent.
type Information struct {
	Name           string     `json:"name,omitempty"`
	Description    string     `json:"description,omitempty"`
	Banner         string     `json:"banner,omitempty"`
	Icon           string     `json:"icon,omitempty"`
	PubKey         string     `json:"pubkey,omitempty"` // of the first administrator
	Self           string     `json:"self,omitempty"`   // of the relay itself
	Contact        string     `json:"contact,omitempty"`
	SupportedNIPs  []int      `json:"supported_nips"`
	Version        string     `json:"version,omitempty"`
	TermsOfService string     `json:"terms_of_service,omitempty"`
	Limitation     Limitation `json:"limitation"`
	Sync           string     `json:"sync,omitempty"` // what OK means: "batch" is on disk, "none" is in memory
}

// Limitation is what the relay enforces. NIP-11 "Server limitations".
type Limitation struct {
	MaxMessageLength    int64 `json:"max_message_length,omitempty"` // bytes
	MaxSubscriptions    int   `json:"max_subscriptions,omitempty"`
	MaxFilters          int   `json:"max_filters,omitempty"`
	MaxFilterValues     int   `json:"max_filter_values,omitempty"` // in one field
	MaxLiveValues       int   `json:"max_live_values,omitempty"`   // in all filters of a connection
	MaxNegSessions      int   `json:"max_neg_sessions,omitempty"`  // reconciliations open on a connection. NIP-77
	MaxNegItems         int   `json:"max_neg_items,omitempty"`     // events that one of them may compare
	MaxLimit            int   `json:"max_limit,omitempty"`
	DefaultLimit        int   `json:"default_limit,omitempty"`
	MaxSubIDLength      int   `json:"max_subid_length,omitempty"` // characters
	MaxEventTags        int   `json:"max_event_tags,omitempty"`
	MaxContentLength    int   `json:"max_content_length,omitempty"` // characters
	MinPoWDifficulty    int   `json:"min_pow_difficulty,omitempty"` // bits
	AuthRequired        bool  `json:"auth_required"`
	PaymentRequired     bool  `json:"payment_required"`
	RestrictedWrites    bool  `json:"restricted_writes"`
	CreatedAtUpperLimit int64 `json:"created_at_upper_limit,omitempty"` // seconds ahead
	ConnectionsPerIP    int   `json:"connections_per_ip,omitempty"`
	EventsPerSecond     int   `json:"events_per_second,omitempty"`
	EventsBurst         int   `json:"events_burst,omitempty"`
	ReqsPerSecond       int   `json:"reqs_per_second,omitempty"`
	ReqsBurst           int   `json:"reqs_burst,omitempty"`
	RequestsPerKey      int   `json:"requests_per_key,omitempty"`
	RequestsBurst       int   `json:"requests_burst,omitempty"`
}

// Information is the document as it is in force now.
func (r *Relay) Information() Information {
	o, l := r.d.Policies.Options(), r.d.Policies.Limits()
	info := Information{
		Name: r.o.Name, Description: r.o.Description, Banner: r.o.Banner, Icon: r.o.Icon, Contact: r.o.Contact,
		TermsOfService: r.o.TermsOfService, SupportedNIPs: r.supported(o.Rules.MinPoW > 0),
		Version: r.o.Version, Sync: r.o.Sync,
		Limitation: Limitation{
			MaxMessageLength: l.MessageBytes, MaxSubscriptions: l.Subscriptions, MaxFilters: l.Filters,
			MaxFilterValues: l.Values, MaxLiveValues: l.LiveValues, MaxLimit: l.MaxLimit, DefaultLimit: l.DefaultLimit,
			MaxSubIDLength: maxSubID, MaxEventTags: l.Tags, MaxContentLength: l.ContentLength,
			MinPoWDifficulty: o.Rules.MinPoW, RestrictedWrites: true, CreatedAtUpperLimit: int64(l.FutureSecs),
			ConnectionsPerIP: l.ConnectionsPerIP,
			EventsPerSecond:  l.EventsPerSecond, EventsBurst: l.EventsBurst,
			ReqsPerSecond: l.ReqsPerSecond, ReqsBurst: l.ReqsBurst,
			RequestsPerKey: l.RequestsPerKey, RequestsBurst: l.RequestsBurst,
		},
	}
	if r.o.Negentropy {
		info.Limitation.MaxNegSessions, info.Limitation.MaxNegItems = l.NegSessions, l.NegItems
	}
	if len(r.admins) > 0 {
		info.PubKey = r.admins[0].String()
	}
	if r.hasKey {
		info.Self = r.key.Public.String()
	}
	return info
}

// supported is what is served now, and no more.
func (r *Relay) supported(pow bool) []int {
	nips := []int{1, 9, 11}
	if pow {
		nips = append(nips, 13)
	}
	nips = append(nips, 40)
	if r.o.URL != "" {
		nips = append(nips, 42)
	}
	nips = append(nips, 45, 50, 62)
	if r.o.EOSEHint {
		nips = append(nips, 67)
	}
	nips = append(nips, 70)
	if r.o.Negentropy {
		nips = append(nips, 77)
	}
	return append(nips, 89, 90)
}

func (r *Relay) serveInformation(w http.ResponseWriter, req *http.Request) {
	body, err := json.Marshal(r.Information())
	if err != nil {
		r.d.Log.Error("information not written", "err", err)
		problem(w, http.StatusInternalServerError, "the document could not be written")
		return
	}
	allowAll(w)
	w.Header().Set("Content-Type", nip11Type)
	w.Header().Set("Cache-Control", "no-cache")
	if req.Method == http.MethodGet {
		_, _ = w.Write(body) // who does not read it has left
	}
}
