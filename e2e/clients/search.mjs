// Two threads at once on one connection, by search and by the portable way, stored and live, with nostr-tools.
// usage: node search.mjs ws://relay
import './node18.mjs'
import { finalizeEvent } from 'nostr-tools/pure'
import { check, key, print, sameIds } from './common.mjs'
import { connect, feedback, live, money, now, portable, receipt, refusal, request, result, stored } from './story.mjs'

const url = process.argv[2]
const [customer, provider, wallet] = await Promise.all(['search customer', 'search provider', 'search wallet'].map(key))
const relay = await connect(url)
const ids = events => events.map(e => e.id)
const jobs = ['first job', 'another job'].map(text => {
  const job = request(customer, provider.pubkey, text)
  const done = result(provider, job, 'here it is')
  return { job, working: feedback(provider, job, 'processing'), done, zap: receipt(wallet, customer, done) }
})
const whole = j => [j.job.id, j.working.id, j.done.id, j.zap.id]

// A thread that nobody has heard of ends its stored part at once and stays live. Both ways of both jobs stand at once.
for (const j of jobs) {
  j.search = await live(relay, [{ search: `thread:${j.job.id}` }])
  j.way = await live(relay, portable(j.job.id))
  check(j.search.events.length === 0, 'an unknown thread has events', j.search.ids())
}

// The jobs are played in step, so that each subscription could get what is the other's.
for (const part of ['job', 'working', 'done']) {
  for (const j of jobs) await relay.publish(j[part])
}
for (const j of jobs) {
  await j.way.until('the answers', events => events.length >= 3)
  j.paid = await live(relay, money([j.working.id, j.done.id]))
}
for (const j of jobs) await relay.publish(j.zap)
for (const j of jobs) {
  await j.search.until('the zap that names only the result', events => events.length >= 4)
  await j.paid.until('the zap', events => events.length >= 1)
}
for (const j of jobs) {
  check(sameIds(j.search.ids(), whole(j)), 'live by search', j.search.ids(), whole(j))
  check(sameIds([...j.way.ids(), ...j.paid.ids()], whole(j)), 'live by the portable way', j.way.ids(), j.paid.ids(), whole(j))
}

// Stored, both at once, from any id of the thread.
await Promise.all(
  jobs.flatMap(j => [
    ...whole(j).map(async id => {
      const got = ids(await stored(relay, [{ search: `thread:${id}` }]))
      check(sameIds(got, whole(j)), `stored by search from ${id}`, got)
    }),
    (async () => {
      const way = await stored(relay, portable(j.job.id))
      const paid = await stored(relay, money(way.filter(e => e.kind !== 5300).map(e => e.id)))
      check(sameIds(ids([...way, ...paid]), whole(j)), 'stored by the portable way', ids(way), ids(paid))
    })(),
  ]),
)
const [{ job, working, done }] = jobs
const answers = ids(await stored(relay, [{ search: `thread:${job.id}`, kinds: [6300, 7000] }]))
check(sameIds(answers, [working.id, done.id]), 'search and kinds', answers)

// A job that takes the first as its input is another thread: the portable way shows it, search does not.
const chained = finalizeEvent(
  { kind: 5001, created_at: now(), content: '', tags: [['i', job.id, 'job'], ['bid', '1000']] },
  customer.secret,
)
await relay.publish(chained)
await jobs[0].way.until('the chained job', events => events.some(e => e.id === chained.id))
check(!jobs[0].search.ids().includes(chained.id), 'a chained job came live by search')
const alone = ids(await stored(relay, [{ search: `thread:${chained.id}` }]))
check(sameIds(alone, [chained.id]), 'stored by search, the chained job', alone)

const reason = await refusal(relay, [{ search: 'thread:nonsense' }])
check(reason.startsWith('invalid: search:'), 'bad value of a known word', reason)

print({ ok: true, request: job.id, thread: whole(jobs[0]), refusal: reason })
relay.close()
process.exit(0) // the library keeps timers
