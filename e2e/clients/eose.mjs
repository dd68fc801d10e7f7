// Asks one relay one question with one library and tells whether the library read its EOSE.
// usage: node eose.mjs nostr-tools|ndk|nostr-sdk ws://relay
import './node18.mjs'
import { print, within } from './common.mjs'

const wait = 3000 // ms; far more than a relay on this machine needs

const libraries = {
  async 'nostr-tools'(url) {
    const { Relay, useWebSocketImplementation } = await import('nostr-tools/relay')
    useWebSocketImplementation((await import('ws')).default)
    const relay = await Relay.connect(url)
    let events = 0
    try {
      await within(wait, 'EOSE', done =>
        relay.subscribe([{ kinds: [5300], limit: 10 }], {
          onevent: () => events++,
          oneose: done,
          eoseTimeout: 10 * wait, // the library's own timer must not stand in for the relay's EOSE
        }),
      )
      return { eose: true, events }
    } catch (err) {
      return { eose: false, events, error: String(err) }
    } finally {
      relay.close()
    }
  },

  async ndk(url) {
    const { connectNDK } = await import('./ndk.mjs')
    const ndk = await connectNDK(url)
    let events = 0
    const sub = ndk.subscribe({ kinds: [5300], limit: 10 }, { closeOnEose: false, groupable: false })
    sub.on('event', () => events++)
    try {
      // "eose" may come from a timer; eosesSeen holds only relays that sent one.
      await within(wait, 'EOSE', done => {
        const timer = setInterval(() => {
          if (sub.eosesSeen.size > 0) {
            clearInterval(timer)
            done()
          }
        }, 10)
        timer.unref()
      })
      return { eose: true, events }
    } catch (err) {
      return { eose: false, events, error: String(err) }
    }
  },

  async 'nostr-sdk'(url) {
    globalThis.WebSocket ??= (await import('ws')).default
    const sdk = await import('@rust-nostr/nostr-sdk')
    sdk.loadWasmSync()
    const client = new sdk.Client()
    await client.addRelay(url)
    await client.connect()
    const filter = new sdk.Filter().kinds([new sdk.Kind(5300)]).limit(10)
    const start = Date.now()
    const found = await client.fetchEvents(filter, sdk.Duration.fromSecs(wait / 1000))
    const took = Date.now() - start
    // fetchEvents ends at EOSE, or at its timeout when it read none.
    return { eose: took < wait - 500, events: Number(found.len()), took_ms: took }
  },
}

const [library, url] = process.argv.slice(2)
if (!libraries[library] || !url) {
  console.error('usage: node eose.mjs nostr-tools|ndk|nostr-sdk ws://relay')
  process.exit(2)
}
print({ library, ...(await libraries[library](url)) })
process.exit(0) // libraries keep timers and sockets
