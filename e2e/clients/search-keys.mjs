// Jobs by what is known of them, and how many, with nostr-tools. usage: node search-keys.mjs ws://relay 'JSON list of bad searches'
import './node18.mjs'
import { finalizeEvent } from 'nostr-tools/pure'
import * as nip19 from 'nostr-tools/nip19'
import { check, key, print, sameIds } from './common.mjs'
import { connect, feedback, live, now, receipt, refusal, request, result, stored } from './story.mjs'

const [url, bad] = process.argv.slice(2)
const roles = ['keys ann', 'keys ben', 'keys one', 'keys two', 'keys wallet']
const [ann, ben, one, two, wallet] = await Promise.all(roles.map(key))
const relay = await connect(url)
const ids = events => events.map(e => e.id)

// Ann asks twice: the first provider delivers and is paid, the second fails. Ben asks for something else, of no one.
const paid = request(ann, one.pubkey, 'a poem')
const failed = request(ann, two.pubkey, 'a song')
const open = finalizeEvent({ kind: 5050, created_at: now(), content: '', tags: [['i', 'a story', 'text']] }, ben.secret)
const working = feedback(one, paid, 'processing')
const done = result(one, paid, 'roses')
const zap = receipt(wallet, ann, done)
const sorry = feedback(two, failed, 'error', 'no voice')

// What is live hears of its jobs only. A provider's are those that it answered, its first answer included.
const heard = {
  [`provider:${one.pubkey}`]: [working, done, zap],
  [`customer:${nip19.npubEncode(ann.pubkey)}`]: [paid, failed, working, done, zap, sorry],
  'job-kind:5050': [open],
  [`job-kind:5300 customer:${ben.pubkey}`]: [],
}
const subs = {}
for (const search of Object.keys(heard)) subs[search] = await live(relay, [{ search }])
for (const event of [paid, failed, open, working, done, zap, sorry]) await relay.publish(event)
for (const [search, want] of Object.entries(heard)) {
  await subs[search].until(`what ${search} hears`, events => events.length >= want.length)
}
for (const [search, want] of Object.entries(heard)) {
  check(sameIds(subs[search].ids(), ids(want)), `live: ${search}`, subs[search].ids(), ids(want))
  subs[search].close()
}

// Stored: all events of the jobs that fit, and as many by COUNT.
const all = { paid: [paid, working, done, zap], failed: [failed, sorry], open: [open] }
const found = [
  [{ search: 'job-kind:5300' }, [...all.paid, ...all.failed]],
  [{ search: 'kind:5050' }, all.open],
  [{ search: `provider:${one.pubkey}` }, all.paid],
  [{ search: `provider:${nip19.npubEncode(two.pubkey)}` }, all.failed],
  [{ search: `customer:${ann.pubkey}` }, [...all.paid, ...all.failed]],
  [{ search: `customer:${ann.pubkey}`, kinds: [5300] }, [paid, failed]],
  [{ search: 'state:success' }, all.paid],
  [{ search: 'status:error' }, all.failed],
  [{ search: 'state:open' }, all.open],
  [{ search: 'state:processing' }, []],
  [{ search: `state:success customer:${ben.pubkey}` }, []],
  [{ search: `job-kind:5300 state:error` }, all.failed],
  [{ search: `JOB:${nip19.noteEncode(done.id)} colour:red` }, all.paid], // an unknown key beside a known one is ignored
]
const counts = {}
for (const [filter, want] of found) {
  const got = ids(await stored(relay, [filter]))
  check(sameIds(got, ids(want)), `stored: ${JSON.stringify(filter)}`, got, ids(want))
  const n = await relay.count([filter], {})
  check(n === want.length, `COUNT ${JSON.stringify(filter)}: got ${n}, want ${want.length}`)
  counts[filter.search] = n
}

// Refusals, as they reach the library, by REQ and by COUNT.
const refusals = {}
for (const search of JSON.parse(bad)) {
  const byREQ = await refusal(relay, [{ search }])
  const byCOUNT = await relay.count([{ search }], {}).then(
    n => `counted ${n}`,
    err => err.message,
  )
  refusals[search] = { byREQ, byCOUNT }
}
print({ counts, refusals })
relay.close()
process.exit(0) // the library keeps timers
