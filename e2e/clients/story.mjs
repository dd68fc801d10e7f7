// The parts of a job, with nostr-tools.
import './node18.mjs'
import WebSocket from 'ws'
import { finalizeEvent } from 'nostr-tools/pure'
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay'
import { within } from './common.mjs'

useWebSocketImplementation(WebSocket)

export const patience = 20000 // ms

export const now = () => Math.floor(Date.now() / 1000)

export const connect = url => Relay.connect(url)

export function request(who, provider, text) {
  return finalizeEvent(
    {
      kind: 5300,
      created_at: now(),
      content: '',
      tags: [['i', text, 'text'], ['output', 'application/json'], ['bid', '21000'], ...(provider ? [['p', provider]] : [])],
    },
    who.secret,
  )
}

export function feedback(who, job, status, extra = '') {
  return finalizeEvent(
    { kind: 7000, created_at: now(), content: '', tags: [['status', status, extra], ['e', job.id], ['p', job.pubkey]] },
    who.secret,
  )
}

export function result(who, job, content) {
  return finalizeEvent(
    {
      kind: job.kind + 1000,
      created_at: now(),
      content,
      tags: [['request', JSON.stringify(job)], ['e', job.id], ['p', job.pubkey], ['amount', '21000'], ...job.tags.filter(t => t[0] === 'i')],
    },
    who.secret,
  )
}

// receipt is the zap receipt of a wallet; it names only the event that is paid, as when somebody zaps a result.
export function receipt(wallet, customer, paid) {
  const zap = { kind: 9734, pubkey: customer.pubkey, content: '', tags: [['e', paid.id], ['p', paid.pubkey]] }
  return finalizeEvent(
    {
      kind: 9735,
      created_at: now(),
      content: '',
      tags: [
        ['p', paid.pubkey],
        ['P', customer.pubkey],
        ['e', paid.id],
        ['bolt11', 'lnbc210n1' + 'q'.repeat(120)],
        ['description', JSON.stringify(zap)],
      ],
    },
    wallet.secret,
  )
}

// live subscribes, waits for EOSE and returns the events seen, and a way to wait for one.
export async function live(relay, filters) {
  const events = []
  const waiting = new Set()
  let closed
  const sub = await within(
    patience,
    'EOSE',
    (resolve, reject) => {
      const s = relay.subscribe(filters, {
        eoseTimeout: 10 * patience, // only the relay's own EOSE counts
        oneose: () => resolve(s),
        onclose: why => {
          closed = why
          reject(new Error(`closed: ${why}`))
        },
        onevent: event => {
          events.push(event)
          for (const w of waiting) w()
        },
      })
    },
  )
  return {
    events,
    ids: () => events.map(e => e.id),
    close: () => sub.close(),
    closed: () => closed,
    until: (what, holds) =>
      within(patience, what, done => {
        const look = () => {
          if (holds(events)) {
            waiting.delete(look)
            done(events)
          }
        }
        waiting.add(look)
        look()
      }),
  }
}

// stored collects what is stored and closes.
export async function stored(relay, filters) {
  const s = await live(relay, filters)
  s.close()
  return s.events
}

// refusal subscribes with a filter that the relay must close, and returns the reason.
export function refusal(relay, filters) {
  return within(patience, 'CLOSED', (resolve, reject) => {
    relay.subscribe(filters, {
      eoseTimeout: 10 * patience,
      oneose: () => reject(new Error('EOSE for a REQ that should be closed')),
      onclose: resolve,
    })
  })
}

// portable is the thread of a job for relays and libraries without search.
export const portable = job => [{ ids: [job] }, { '#e': [job] }, { '#i': [job] }]

// money is its second step: what pays the answers.
export const money = answers => [{ kinds: [9735, 9321], '#e': answers }]
