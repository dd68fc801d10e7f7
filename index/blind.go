package index

import (
	"bytes"
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Where the store has a secret (store.Options.BlindKeys), the fact of an event without its body names people by their
// pseudonyms. Rows must not depend on when a body went, so whoever may be no provider stands in them as a pseudonym from
// the beginning: in payments, in the side of who was paid and has not answered, in rollups. Who has answered a job stands
// in it by name.

func nameKey(pseudonym nip90.PubKey) []byte { return keyOf(keyName, pseudonym[:]) }

// blindedKey stands in an index that was folded with the store's secret.
func blindedKey() []byte { return []byte{store.IndexSpace, 'b'} }

// outdated says whether the index was folded before the store got its secret.
func outdated(r store.Reader) (bool, error) {
	b, err := store.BlinderOf(r)
	if err != nil || b == nil || b.Always() {
		return false, err
	}
	folded, err := has(r, blindedKey())
	return !folded, err
}

// noteBlinded notes that what is folded from here on knows of the secret.
func noteBlinded(t store.Txn) error {
	b, err := store.BlinderOf(t)
	if err == nil && b != nil {
		t.Set(blindedKey(), nil)
	}
	return err
}

// blindness is what is known of a store's secret: a nil Blinder when it has none.
type blindness struct{ *store.Blinder }

// blinder is the store's. The secret is made before the first event of a run, so one look is enough.
func (w *work) blinder() (*store.Blinder, error) {
	if b := w.x.blind.Load(); b != nil {
		return b.Blinder, nil
	}
	b, err := store.BlinderOf(w.t)
	if err == nil {
		w.x.blind.Store(&blindness{b})
	}
	return b, err
}

// same says whether two keys out of facts, each plain or a pseudonym, are those of one person.
func same(r store.Reader, a, b nip90.PubKey) (bool, error) {
	if a == b || store.IsPseudonym(a) == store.IsPseudonym(b) {
		return a == b, nil
	}
	blinder, err := store.BlinderOf(r)
	return err == nil && blinder.Same(a, b), err
}

// named says whether a key stands in a list of a fact.
func named(r store.Reader, list []nip90.PubKey, pk nip90.PubKey) (bool, error) {
	for _, one := range list {
		if here, err := same(r, one, pk); here || err != nil {
			return here, err
		}
	}
	return false, nil
}

// unveiled is the key of a known provider in the place of its pseudonym. Any other key is given back as it is.
func unveiled(r store.Reader, pk nip90.PubKey) (nip90.PubKey, error) {
	if !store.IsPseudonym(pk) {
		return pk, nil
	}
	row, err := r.Value(nameKey(pk))
	if err != nil || row == nil {
		return pk, err
	}
	if len(row) != len(pk) {
		return pk, fmt.Errorf("name of %s: %w", pk, errRow)
	}
	return nip90.PubKey(row), nil
}

// shown is a key as views show it: a pseudonym is nobody.
func shown(pk nip90.PubKey) string {
	if store.IsPseudonym(pk) {
		return ""
	}
	return pk.String()
}

// byName orders keys; pseudonyms, which are others in each store, come last.
func byName(a, b nip90.PubKey) int {
	if va, vb := store.IsPseudonym(a), store.IsPseudonym(b); va != vb {
		if va {
			return 1
		}
		return -1
	}
	return bytes.Compare(a[:], b[:])
}

// providersAmong are the providers that a request's fact names, as far as they may be shown.
func providersAmong(r store.Reader, people []nip90.PubKey) (out []nip90.PubKey, err error) {
	for _, pk := range people {
		if pk, err = unveiled(r, pk); err != nil {
			return nil, err
		}
		if !store.IsPseudonym(pk) {
			out = append(out, pk)
		}
	}
	return out, nil
}

// flowSeen is flow for views: a provider that is known is given by its key.
func flowSeen(r store.Reader, f *store.Fact, customer nip90.PubKey) (direction, bool, error) {
	b, err := store.BlinderOf(r)
	if err != nil {
		return direction{}, false, err
	}
	d, ok := flow(b, f, customer)
	if ok {
		d.provider, err = unveiled(r, d.provider)
	}
	return d, ok, err
}

// payee is the name that the side of who was paid, or paid back, stands under: its key if it has answered the job, else
// its pseudonym, whether the body of the payment is still here or not.
func payee(r store.Reader, root nip90.ID, pseudonym nip90.PubKey) (nip90.PubKey, error) {
	pk, err := unveiled(r, pseudonym)
	if err != nil || pk == pseudonym {
		return pseudonym, err
	}
	side, err := readSide(r, root, pk)
	if err != nil || side.answers == 0 {
		return pseudonym, err
	}
	return pk, nil
}

// unveil gives a provider with its first answer the side that payments before it have made.
func (w *work) unveil(root nip90.ID, p nip90.PubKey, side *sideRow) error {
	b, err := w.blinder()
	if err != nil || b == nil {
		return err
	}
	key := sideKey(root, b.Of(p))
	row, err := w.t.Value(key)
	if err != nil || row == nil {
		return err
	}
	*side, err = decodeSide(row)
	w.t.Delete(key)
	return err
}

// ensureProvider lists a key among the providers, and the way from its pseudonym to it.
func (w *work) ensureProvider(p nip90.PubKey) error {
	here, err := has(w.t, providerKey(p))
	if err != nil || here {
		return err
	}
	w.t.Set(providerKey(p), nil)
	b, err := w.blinder()
	if err == nil && b != nil {
		w.t.Set(nameKey(b.Of(p)), p[:])
	}
	return err
}

// unnameProvider takes back what ensureProvider did for the way. Of a pseudonym it was only known that it was paid.
func (w *work) unnameProvider(p nip90.PubKey) error {
	if store.IsPseudonym(p) {
		return nil
	}
	b, err := w.blinder()
	if err == nil && b != nil {
		w.t.Delete(nameKey(b.Of(p)))
	}
	return err
}

// veil is how people are told apart while a thread is folded: by their pseudonyms where there are any.
type veil struct {
	blinder *store.Blinder
	names   map[nip90.PubKey]nip90.PubKey // of who answered, by pseudonym
}

func newVeil(r store.Reader) (veil, error) {
	b, err := store.BlinderOf(r)
	return veil{b, make(map[nip90.PubKey]nip90.PubKey)}, err
}

// answers is what the side of who answers goes by until unveil.
func (v *veil) answers(p nip90.PubKey) nip90.PubKey {
	if v.blinder == nil {
		return p
	}
	veiled := v.blinder.Of(p)
	v.names[veiled] = p
	return veiled
}

// unveil puts the sides of those who answered under their names.
func unveil(v veil, sides map[nip90.PubKey]*sideRow) {
	for veiled, p := range v.names {
		side := sides[veiled]
		delete(sides, veiled)
		sides[p] = side
	}
}

// provider expects a key in the table of providers, and the way from its pseudonym to it.
func (m *model) provider(p nip90.PubKey) {
	m.want(providerKey(p), nil)
	if m.blinder != nil {
		m.want(nameKey(m.blinder.Of(p)), bytes.Clone(p[:]))
	}
}
