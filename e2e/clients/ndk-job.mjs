// One job with NDK's DVM classes on both sides. usage: node ndk-job.mjs ws://relay
import './node18.mjs'
import { NDKDVMJobFeedback, NDKDVMJobResult, NDKDVMRequest, NDKDvmJobFeedbackStatus, NDKKind } from '@nostr-dev-kit/ndk'
import { bytesToHex } from 'nostr-tools/utils'
import { check, key, print, within } from './common.mjs'
import { connectNDK } from './ndk.mjs'

const url = process.argv[2]
const patience = 20000 // ms
const [customerKey, providerKey] = await Promise.all(['ndk customer', 'ndk provider'].map(key))
const customer = await connectNDK(url, bytesToHex(customerKey.secret))
const provider = await connectNDK(url, bytesToHex(providerKey.secret))

const subscribed = (ndk, filter, onEvent) =>
  within(patience, 'EOSE', done => ndk.subscribe(filter, { closeOnEose: false, groupable: false, onEvent, onEose: done }))

// The provider: says processing, asks for money, delivers.
const made = {}
const served = within(patience, 'a served job', (resolve, reject) => {
  const serve = async event => {
    const job = NDKDVMRequest.from(event)
    check(job.getParam('max_results') === '5', 'param', job.rawEvent())
    check(job.bid === 21000, 'bid', job.bid)
    for (const status of [NDKDvmJobFeedbackStatus.Processing, NDKDvmJobFeedbackStatus.PayReq]) {
      const f = job.createFeedback(status)
      await f.publish()
      made[status] = f.id
    }
    const result = new NDKDVMJobResult(provider)
    result.jobRequest = job
    result.result = JSON.stringify([['e', job.id]])
    result.setAmount(21000)
    await result.publish()
    made.result = result.id
    made.kind = result.kind
    resolve()
  }
  return subscribed(provider, { kinds: [NDKKind.DVMReqDiscoveryNostrContent], '#p': [providerKey.pubkey] }, e => serve(e).catch(reject))
})

// The customer.
const request = new NDKDVMRequest(customer)
request.kind = NDKKind.DVMReqDiscoveryNostrContent
request.addInput('posts about relays', 'text')
request.addParam('max_results', '5')
request.bid = 21000
request.output = 'application/json'
request.dvm = customer.getUser({ pubkey: providerKey.pubkey })
await request.sign()
const heard = []
const complete = within(patience, 'two feedbacks and a result', (resolve, reject) => {
  subscribed(customer, { kinds: [request.kind + 1000, 7000], ...request.filter() }, event => {
    heard.push(event)
    if (heard.length === 3) resolve()
  }).catch(reject)
})
await request.publish()
await served
await complete

const statuses = []
for (const event of heard.filter(e => e.kind === 7000)) statuses.push((await NDKDVMJobFeedback.from(event)).status)
check(statuses.sort().join() === 'payment_required,processing', 'statuses', statuses)
const result = NDKDVMJobResult.from(heard.find(e => e.kind === 6300))
check(result.jobRequestId === request.id, 'job of the result', result.jobRequestId)
check(result.jobRequest.id === request.id, 'request inside the result')

print({
  customer: customerKey.pubkey,
  provider: providerKey.pubkey,
  request: request.id,
  result: result.id,
  feedbacks: [made.processing, made.payment_required],
  input: request.tagValue('i'),
})
process.exit(0) // the library keeps sockets
