package month

import "fmt"

// announce is what providers say of themselves at the beginning.
func (w *world) announce() {
	w.beat = w.o.Start
	for n := range w.providers {
		p := &w.providers[n]
		w.emit(event(p.key, 0, w.o.Start+int64(n), fmt.Sprintf(`{"name":"provider %d","about":"answers"}`, n)))
		w.handler(p, w.o.Start+int64(60+n), n)
	}
}

// handler announces a service, with some of the oddities of announcements.
func (w *world) handler(p *provider, at int64, n int) {
	content := fmt.Sprintf(`{"name":"service %d","about":"made up","amount":%q,"encryptionSupported":true}`, n, one(w.rng, "free", "flexible", "1000"))
	if n%11 == 3 {
		content = `{'name': 'service', 'encryptionSupported': True}`
	}
	e := event(p.key, 31990, at, content)
	if n%17 != 5 {
		e.Tags = append(e.Tags, tag("d", "service"+number(n)))
	}
	for _, k := range p.kinds {
		e.Tags = append(e.Tags, tag("k", number(k)))
	}
	e.ID = e.GetID()
	w.emit(e)
}

// upTo emits the signs of life until then. Some providers take their announcement back and make it again every day, as
// they start anew.
func (w *world) upTo(at int64) {
	const every = day / 4
	for ; w.beat <= at && !w.done; w.beat += every {
		for n := range w.providers {
			p := &w.providers[n]
			if n%5 == 4 && w.beat > w.o.Start+15*day {
				continue // went away
			}
			due := w.beat + int64(n)
			if n%16 == int(w.beat/every)%16 || w.o.Requests > 100_000 {
				w.emit(event(p.key, 11998, due, "", tag("d", "service"+number(n)), tag("expiration", number(due+300))))
			}
			if n%20 == 9 && (w.beat-w.o.Start)%day == 0 && w.beat > w.o.Start {
				address := fmt.Sprintf("31990:%s:service%d", p.key, n)
				w.emit(event(p.key, 5, due+1, "", tag("a", address)))
				w.handler(p, due+2, n)
			}
		}
	}
}

// farewell: at the end a few people ask to be forgotten.
func (w *world) farewell() {
	at := w.o.End() - day
	for _, key := range w.leaving {
		w.emit(event(key, 62, at, "", tag("relay", "ALL_RELAYS")))
	}
	if len(w.bulk) > 0 {
		e := event(w.customer(2), 5, at, "all of them")
		for _, id := range w.bulk {
			e.Tags = append(e.Tags, tag("e", id))
		}
		e.ID = e.GetID()
		w.emit(e)
	}
	// Two jobs that build on each other: no hash allows it, but nothing behind the door counts on that.
	a, b := event(w.customer(0), 5100, at, "a"), event(w.customer(0), 5100, at+1, "b")
	a.Tags, b.Tags = append(a.Tags, tag("i", b.ID, "job")), append(b.Tags, tag("i", a.ID, "job"))
	w.emit(a)
	w.emit(b)
}
