// A customer follows one job over the HTTP API's stream while it is played: with fetch, as browsers and servers have it.
// usage: node stream.mjs ws://relay http://relay
import './node18.mjs'
import { check, key, print, within } from './common.mjs'
import { connect, feedback, patience, request, result } from './story.mjs'

const [url, base] = process.argv.slice(2)
const [customer, provider] = await Promise.all(['stream customer', 'stream provider'].map(key))
const relay = await connect(url)

// follow reads a stream of server-sent events; next resolves with the next that has data.
async function follow(query, headers = {}) {
  const ended = new AbortController()
  const answer = await fetch(`${base}/api/v1/stream?${query}`, { headers: { accept: 'text/event-stream', ...headers }, signal: ended.signal })
  check(answer.ok, 'stream', answer.status)
  check(answer.headers.get('content-type').startsWith('text/event-stream'), 'content type', answer.headers.get('content-type'))
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const read = async () => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end < 0) {
        const { value, done } = await reader.read()
        if (done) throw new Error('the stream ended')
        text += value
        continue
      }
      const note = {}
      for (const line of text.slice(0, end).split('\n')) {
        const [, field, value] = line.match(/^(\w*):? ?(.*)$/)
        if (field) note[field] = value
      }
      text = text.slice(end + 2)
      if (note.data) return { ...note, data: JSON.parse(note.data) }
    }
  }
  return { next: what => within(patience, what, (resolve, reject) => read().then(resolve, reject)), close: () => ended.abort() }
}

const job = request(customer, provider.pubkey, 'followed')
const other = request(customer, provider.pubkey, 'not followed')
const steps = [
  [job, 'open', 'request'],
  [feedback(provider, job, 'processing'), 'processing', 'feedback'],
  [result(provider, job, 'done'), 'success', 'result'],
]
const followed = await follow(`topics=job&id=${job.id}`) // before anybody has heard of it
const seen = []
await relay.publish(other)
for (const [event, state, role] of steps) {
  await relay.publish(event)
  await relay.publish(feedback(provider, other, 'processing', role))
  const note = await followed.next(`note of the ${role}`)
  check(note.event === 'job', 'topic', note.event)
  check(note.data.id === job.id, 'job', note.data.id)
  check(note.data.state === state, `state after the ${role}`, note.data.state, state)
  check(note.data.change?.id === event.id && note.data.change.role === role, `change after the ${role}`, note.data.change)
  seen.push({ id: note.id, state: note.data.state })
}
followed.close()

// Who comes back gets what was missed, and nothing twice.
const again = await follow(`topics=job&id=${job.id}`, { 'last-event-id': seen[0].id })
const missed = []
for (let i = 1; i < steps.length; i++) missed.push((await again.next('what was missed')).id)
check(JSON.stringify(missed) === JSON.stringify(seen.slice(1).map(s => s.id)), 'replayed', missed, seen)
again.close()

print({ states: seen.map(s => s.state) })
relay.close()
process.exit(0) // the library keeps timers
