// A customer: asks one provider for one job and waits for its feedback and its result. usage: node customer.mjs ws://relay
import './node18.mjs'
import { key, print } from './common.mjs'
import { connect, live, request } from './story.mjs'

const me = await key('customer')
const provider = await key('provider')
const relay = await connect(process.argv[2])
const job = request(me, provider.pubkey, 'posts about relays')
const answers = await live(relay, [{ kinds: [6300, 7000], '#e': [job.id] }])
await relay.publish(job)
const events = await answers.until('feedback and result', got => got.some(e => e.kind === 7000) && got.some(e => e.kind === 6300))
const id = kind => events.find(e => e.kind === kind).id
print({ customer: me.pubkey, provider: provider.pubkey, request: job.id, feedback: id(7000), result: id(6300) })
relay.close()
process.exit(0) // the library keeps timers
