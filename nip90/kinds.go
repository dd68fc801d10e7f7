package nip90

// The kinds that this package knows by name.
const (
	KindProfile        = 0
	KindDeletion       = 5
	KindVanish         = 62
	KindReport         = 1984
	KindLabel          = 1985
	KindFeedback       = 7000
	KindPing           = 7007
	KindNutzap         = 9321
	KindZap            = 9735
	KindRelayList      = 10002
	KindNutzapInfo     = 10019
	KindHeartbeat      = 11998
	KindHandler        = 31990
	KindRecommendation = 31989

	minRequest = 5000
	maxRequest = 5999
	minResult  = 6000
	maxResult  = 6999

	// kindMusicResult is what music services answer 5251 with, a kind of the request range.
	kindMusicResult = 5651
)

// IsSquatter says whether a kind lies in the job range but belongs to another protocol: 5128 and 5129 (site
// manifests), 5666 and 6666, 5969 and 6969 (polls).
func IsSquatter(kind int) bool {
	switch kind {
	case 5128, 5129, 5666, 5969, 6666, 6969:
		return true
	}
	return false
}

// IsRequest says whether a kind is a job request. NIP-90 "Kinds".
func IsRequest(kind int) bool {
	return kind >= minRequest && kind <= maxRequest && !IsSquatter(kind)
}

// IsResult says whether a kind is a job result. NIP-90 "Kinds".
func IsResult(kind int) bool {
	return kind >= minResult && kind <= maxResult && !IsSquatter(kind)
}

// IsFeedback says whether a kind is job feedback. NIP-90 "Kinds".
func IsFeedback(kind int) bool { return kind == KindFeedback }

// IsHeartbeat says whether a kind belongs to the heartbeat family: a heartbeat, an encrypted announcement, the
// announcements of ContextVM, a ping.
func IsHeartbeat(kind int) bool {
	return kind == KindHeartbeat || kind == 11999 || kind == KindPing || (kind >= 11316 && kind <= 11320)
}

// IsDVM says whether a kind is spoken by Data Vending Machines themselves: jobs, answers, announcements, signs of life.
func IsDVM(kind int) bool {
	return IsRequest(kind) || IsResult(kind) || IsFeedback(kind) || IsHeartbeat(kind) ||
		kind == KindHandler || kind == KindRecommendation
}

// ResultKind is the kind that answers a request kind, 0 when the kind is no request. NIP-90 "Kinds".
func ResultKind(request int) int {
	if !IsRequest(request) || !IsResult(request+1000) {
		return 0
	}
	return request + 1000
}

// RequestKind is the kind that a result kind answers, 0 when the kind is no result. NIP-90 "Kinds".
func RequestKind(result int) int {
	if !IsResult(result) || !IsRequest(result-1000) {
		return 0
	}
	return result - 1000
}

// KindStatus is how firmly a kind is described.
type KindStatus string

// The statuses of a kind.
const (
	KindUnknown    KindStatus = ""           // not in the table
	KindRegistered KindStatus = "registered" // in the list of data vending machines
	KindProposed   KindStatus = "proposed"   // in an open proposal
	KindWild       KindStatus = "wild"       // used by software, proposed nowhere
	KindObserved   KindStatus = "observed"   // seen, described nowhere
	KindHistoric   KindStatus = "historic"   // superseded
	KindCollision  KindStatus = "collision"  // another protocol's kind in the job range
	KindSquatting  KindStatus = "observed-not-dvm-like"
	KindAuxiliary  KindStatus = "auxiliary" // no job, but part of the traffic
)

// KindInfo is a row of the table of kinds.
type KindInfo struct {
	Kind   int
	Name   string // empty when nobody has named it
	Status KindStatus
}

// Kinds is the table of known kinds, in ascending order. The caller may keep and change the copy.
func Kinds() []KindInfo { return append([]KindInfo(nil), kindTable[:]...) }

// LookupKind is the table's row for a kind, false when there is none.
func LookupKind(kind int) (KindInfo, bool) {
	lo, hi := 0, len(kindTable)
	for lo < hi {
		mid := (lo + hi) / 2
		if kindTable[mid].Kind < kind {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(kindTable) && kindTable[lo].Kind == kind {
		return kindTable[lo], true
	}
	return KindInfo{}, false
}

// Registered says whether a kind is in the table of known kinds, or the result of one that is. Metrics may use such a
// kind as a label.
func Registered(kind int) bool {
	if _, ok := LookupKind(kind); ok {
		return true
	}
	_, ok := LookupKind(RequestKind(kind))
	return ok && IsResult(kind)
}

// KindName is a kind's name for people: "Translation" for 5002, "Translation result" for 6002; empty when nobody has
// named it.
func KindName(kind int) string {
	if info, ok := LookupKind(kind); ok {
		return info.Name
	}
	if request := RequestKind(kind); request != 0 {
		if info, ok := LookupKind(request); ok && info.Name != "" {
			return info.Name + " result"
		}
	}
	return ""
}
