// Threads by search and by the portable way, stored and live, with nostr-tools. usage: node search.mjs ws://relay
import './node18.mjs'
import { finalizeEvent } from 'nostr-tools/pure'
import { check, key, print, sameIds } from './common.mjs'
import { connect, feedback, live, now, portable, refusal, request, result, stored } from './story.mjs'

const url = process.argv[2]
const [customer, provider, wallet] = await Promise.all(['search customer', 'search provider', 'search wallet'].map(key))
const relay = await connect(url)

const job = request(customer, provider.pubkey, 'first job')
const other = request(customer, provider.pubkey, 'another job')
const working = feedback(provider, job, 'processing')
const done = result(provider, job, 'here it is')
const otherWorking = feedback(provider, other, 'processing')
// The receipt names only the result, as a wallet that zaps a result does.
const zap = finalizeEvent(
  {
    kind: 9735,
    created_at: now(),
    content: '',
    tags: [
      ['p', provider.pubkey],
      ['P', customer.pubkey],
      ['e', done.id],
      ['bolt11', 'lnbc210n1' + 'q'.repeat(120)],
      ['description', JSON.stringify({ kind: 9734, pubkey: customer.pubkey, content: '', tags: [['e', done.id], ['p', provider.pubkey]] })],
    ],
  },
  wallet.secret,
)
// A second job takes the result of the first as its input.
const chained = finalizeEvent(
  { kind: 5001, created_at: now(), content: '', tags: [['i', job.id, 'job'], ['bid', '1000']] },
  customer.secret,
)

// A thread that nobody has heard of ends its stored part at once and stays live.
const unknown = await live(relay, [{ search: `thread:${job.id}` }])
check(unknown.events.length === 0, 'an unknown thread has events', unknown.ids())
const watched = await live(relay, portable(job.id))

await relay.publish(job)
await relay.publish(other)
await relay.publish(working)
await relay.publish(otherWorking)
await relay.publish(done)
const thread = [job.id, working.id, done.id]
await unknown.until('the live thread by search', events => events.length >= 3)
check(sameIds(unknown.ids(), thread), 'live by search', unknown.ids(), thread)
await watched.until('the live thread by the portable way', events => events.length >= 3)

await relay.publish(zap)
await relay.publish(chained)
await unknown.until('the zap that names only the result', events => events.some(e => e.id === zap.id))
await watched.until('the chained job', events => events.some(e => e.id === chained.id))
check(sameIds(unknown.ids(), [...thread, zap.id]), 'live by search, with neither the other nor the chained job', unknown.ids())
check(sameIds(watched.ids(), [...thread, chained.id]), 'live by the portable way', watched.ids())

// Stored, from any id of the thread.
const ids = events => events.map(e => e.id)
for (const id of [job.id, working.id, done.id, zap.id]) {
  const got = ids(await stored(relay, [{ search: `thread:${id}` }]))
  check(sameIds(got, [...thread, zap.id]), `stored by search from ${id}`, got)
}
const answers = ids(await stored(relay, [{ search: `thread:${job.id}`, kinds: [6300, 7000] }]))
check(sameIds(answers, [working.id, done.id]), 'search and kinds', answers)

// The portable way: the thread, then what pays its answers.
const way = await stored(relay, portable(job.id))
check(sameIds(ids(way), [...thread, chained.id]), 'stored by the portable way', ids(way))
const paid = ids(await stored(relay, [{ kinds: [9735, 9321], '#e': way.filter(e => e.kind !== 5300).map(e => e.id) }]))
check(sameIds(paid, [zap.id]), 'zaps by the portable way', paid)

const reason = await refusal(relay, [{ search: 'thread:nonsense' }])
check(reason.startsWith('invalid: search:'), 'bad value of a known word', reason)

print({ ok: true, request: job.id, thread: [...thread, zap.id], refusal: reason })
relay.close()
process.exit(0) // the library keeps timers
