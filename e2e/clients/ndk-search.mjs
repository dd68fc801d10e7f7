// What NDK makes of search filters, and that the portable way does. usage: node ndk-search.mjs ws://relay
// The library ignores search when it matches events with subscriptions, and when it merges subscriptions.
import './node18.mjs'
import { readFile } from 'node:fs/promises'
import { check, key, print, sameIds, within } from './common.mjs'
import { connectNDK } from './ndk.mjs'
import { connect, feedback, money, patience, portable, receipt, request, result } from './story.mjs'

const url = process.argv[2]
const [customer, provider, wallet] = await Promise.all(['ndk search customer', 'ndk search provider', 'ndk search wallet'].map(key))
const relay = await connect(url) // nostr-tools publishes, so that NDK hears only by subscription
const jobs = ['one', 'two'].map(text => {
  const job = request(customer, provider.pubkey, text)
  const done = result(provider, job, text)
  return { job, working: feedback(provider, job, 'processing'), done, zap: receipt(wallet, customer, done) }
})
const [one, two] = jobs
for (const j of jobs) {
  await relay.publish(j.job)
  await relay.publish(j.working)
}
const ndk = await connectNDK(url)

// of tells which jobs the events of a subscription belong to.
const of = events => {
  const roots = [...events].map(e => e.tagValue('e') ?? e.id)
  return { one: roots.includes(one.job.id), two: roots.includes(two.job.id) }
}

const subscribe = (filters, opts) => {
  const s = { events: new Set() }
  s.ids = () => [...new Set([...s.events].map(e => e.id))]
  s.eose = within(patience, 'EOSE', done => {
    s.sub = ndk.subscribe(filters, { onEvent: e => s.events.add(e), onEose: done, closeOnEose: false, ...opts })
  })
  return s
}
const until = (what, holds) =>
  within(patience, what, done => {
    const timer = setInterval(() => holds() && (clearInterval(timer), done()), 10)
  })

// 1. Alone and not groupable: the right thread.
const alone = subscribe({ search: `thread:${one.job.id}` }, { groupable: false })
await alone.eose
const aloneHas = of(alone.events)
alone.sub.stop()

// 2. Two at once, groupable as by default: merged into one REQ that holds the last search only.
const first = subscribe({ search: `thread:${one.job.id}`, kinds: [5300, 7000] })
const second = subscribe({ search: `thread:${two.job.id}`, kinds: [5300, 7000] })
await Promise.all([first.eose, second.eose])
const merged = { first: of(first.events), second: of(second.events) }
first.sub.stop()
second.sub.stop()

// 3. Not groupable, but beside a subscription for other events: those reach the search as well.
const search = subscribe({ search: `thread:${one.job.id}`, kinds: [5300, 7000] }, { groupable: false })
const wide = subscribe({ kinds: [5300], since: one.job.created_at - 60 }, { groupable: false })
await Promise.all([search.eose, wide.eose])
const later = request(customer, provider.pubkey, 'later')
await relay.publish(later)
await until('the later job', () => wide.ids().includes(later.id))
const leaks = search.ids().includes(later.id)
search.sub.stop()
wide.sub.stop()

// 4. The portable way does not depend on search: two threads at once, stored, then live, then what pays them.
for (const j of jobs) j.way = subscribe(portable(j.job.id))
await Promise.all(jobs.map(j => j.way.eose))
for (const j of jobs) check(sameIds(j.way.ids(), [j.job.id, j.working.id]), 'stored by the portable way', j.way.ids())
for (const j of jobs) await relay.publish(j.done)
for (const j of jobs) await until('the result', () => j.way.ids().includes(j.done.id))
for (const j of jobs) j.paid = subscribe(money([j.working.id, j.done.id]))
await Promise.all(jobs.map(j => j.paid.eose))
for (const j of jobs) await relay.publish(j.zap)
for (const j of jobs) await until('the zap', () => j.paid.ids().includes(j.zap.id))
for (const j of jobs) {
  const got = [...j.way.ids(), ...j.paid.ids()]
  check(sameIds(got, [j.job.id, j.working.id, j.done.id, j.zap.id]), 'live by the portable way', got)
}

const { version } = JSON.parse(await readFile('node_modules/@nostr-dev-kit/ndk/package.json', 'utf8'))
print({ version, alone: aloneHas, merged, leaks, threads: jobs.map(j => [j.job, j.working, j.done, j.zap].map(e => e.id)) })
process.exit(0) // the library keeps sockets
