// What NDK makes of search filters. usage: node ndk-search.mjs ws://relay
// The library ignores search when it matches events with subscriptions, and when it merges subscriptions.
import './node18.mjs'
import { check, key, print, within } from './common.mjs'
import { connectNDK } from './ndk.mjs'
import { connect, feedback, portable, request } from './story.mjs'

const url = process.argv[2]
const patience = 20000 // ms
const [customer, provider] = await Promise.all(['ndk search customer', 'ndk search provider'].map(key))
const relay = await connect(url) // nostr-tools publishes, so that NDK hears only by subscription
const jobs = ['one', 'two'].map(text => request(customer, provider.pubkey, text))
for (const job of jobs) {
  await relay.publish(job)
  await relay.publish(feedback(provider, job, 'processing'))
}
const [one, two] = jobs
const ndk = await connectNDK(url)

// of tells which jobs the events of a subscription belong to.
const of = events => {
  const roots = [...events].map(e => e.tagValue('e') ?? e.id)
  return { one: roots.includes(one.id), two: roots.includes(two.id) }
}

const subscribe = (filters, opts) => {
  const s = { events: new Set() }
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
const alone = subscribe({ search: `thread:${one.id}` }, { groupable: false })
await alone.eose
const aloneHas = of(alone.events)
alone.sub.stop()

// 2. Two at once, groupable as by default: merged into one REQ that holds the last search only.
const first = subscribe({ search: `thread:${one.id}`, kinds: [5300, 7000] })
const second = subscribe({ search: `thread:${two.id}`, kinds: [5300, 7000] })
await Promise.all([first.eose, second.eose])
const merged = { first: of(first.events), second: of(second.events) }
first.sub.stop()
second.sub.stop()

// 3. Not groupable, but beside a subscription for other events: those reach the search as well.
const search = subscribe({ search: `thread:${one.id}`, kinds: [5300, 7000] }, { groupable: false })
const wide = subscribe({ kinds: [5300], since: one.created_at - 60 }, { groupable: false })
await Promise.all([search.eose, wide.eose])
const later = request(customer, provider.pubkey, 'later')
await relay.publish(later)
await until('the later job', () => [...wide.events].some(e => e.id === later.id))
const leaks = [...search.events].some(e => e.id === later.id)
search.sub.stop()
wide.sub.stop()

// 4. The portable way does not depend on search.
const way = subscribe(portable(two.id), { groupable: false })
await way.eose
const portableHas = of(way.events)
check(way.events.size === 2, 'portable way', [...way.events].map(e => e.kind))

print({ alone: aloneHas, merged, leaks, portable: portableHas })
process.exit(0) // the library keeps sockets
