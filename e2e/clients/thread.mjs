// Reads a thread by search and by the portable way. usage: node thread.mjs ws://relay JOB
import './node18.mjs'
import { print } from './common.mjs'
import { connect, portable, stored } from './story.mjs'

const [url, job] = process.argv.slice(2)
const relay = await connect(url)
const ids = events => events.map(e => e.id).sort()
print({ search: ids(await stored(relay, [{ search: `thread:${job}` }])), portable: ids(await stored(relay, portable(job))) })
relay.close()
process.exit(0) // the library keeps timers
