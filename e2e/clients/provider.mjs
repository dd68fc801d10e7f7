// A provider: waits for one job addressed to it, says that it works, delivers. usage: node provider.mjs ws://relay
import './node18.mjs'
import { key, print } from './common.mjs'
import { connect, feedback, live, now, result } from './story.mjs'

const me = await key('provider')
const relay = await connect(process.argv[2])
const inbox = await live(relay, [{ kinds: [5300], '#p': [me.pubkey], since: now() - 5 }])
print({ ready: true })

const [job] = await inbox.until('a job', events => events.length > 0)
const working = feedback(me, job, 'processing')
await relay.publish(working)
const done = result(me, job, JSON.stringify([['e', job.id]]))
await relay.publish(done)
print({ customer: job.pubkey, provider: me.pubkey, request: job.id, feedback: working.id, result: done.id })
relay.close()
process.exit(0) // the library keeps timers
