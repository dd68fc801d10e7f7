// Publishes one request that nobody answers. usage: node customer-alone.mjs ws://relay
import './node18.mjs'
import { key, print } from './common.mjs'
import { connect, request } from './story.mjs'

const relay = await connect(process.argv[2])
const job = request(await key('lonely customer'), undefined, 'anybody there?')
await relay.publish(job)
print({ request: job.id })
relay.close()
process.exit(0) // the library keeps timers
