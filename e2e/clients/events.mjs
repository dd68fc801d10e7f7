// Prints signed requests, for tests that speak raw sockets. usage: node events.mjs COUNT
import './node18.mjs'
import { key, print } from './common.mjs'
import { request } from './story.mjs'

const customer = await key('customer of many')
const events = []
for (let i = 0; i < Number(process.argv[2]); i++) events.push(request(customer, undefined, `job ${i}`))
print({ events })
