// An observer: hears all that customers and providers say, until it has heard one of each. usage: node observer.mjs ws://relay
import './node18.mjs'
import { print } from './common.mjs'
import { connect, live, now } from './story.mjs'

const relay = await connect(process.argv[2])
const all = await live(relay, [{ kinds: [5300, 6300, 7000], since: now() - 5 }])
print({ ready: true })
await all.until('request, feedback and result', got => [5300, 6300, 7000].every(kind => got.some(e => e.kind === kind)))
print({ seen: all.ids() })
relay.close()
process.exit(0) // the library keeps timers
