// A relay from npm, for the tests to mirror: @nostr-relay/core behind its own validator with every limit as it comes, which
// means 20 kinds in a filter at most. Its SQLite repository must be compiled, so events are kept here in a file of lines.
// usage: npm-relay.mjs PORT FILE
import './node18.mjs'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { print } from './common.mjs'

const { EventRepository, createOutgoingNoticeMessage, LogLevel } = await import('@nostr-relay/common')
const { NostrRelay } = await import('@nostr-relay/core')
const { Validator } = await import('@nostr-relay/validator')
const { WebSocketServer } = await import('ws')

const MOST = 300 // events given for one filter

class Lines extends EventRepository {
  constructor(file) {
    super()
    this.file = file
    this.events = new Map() // by address, or by id
    if (existsSync(file)) {
      readFileSync(file, 'utf8').split('\n').filter(Boolean).forEach(line => this.keep(JSON.parse(line)))
    }
  }

  keep(event) {
    const address = addressOf(event)
    const old = this.events.get(address)
    if (old && (old.created_at > event.created_at || (old.created_at === event.created_at && old.id <= event.id))) {
      return false
    }
    this.events.set(address, event)
    return true
  }

  isSearchSupported() { return false }

  upsert(event) {
    const isDuplicate = !this.keep(event)
    if (!isDuplicate) {
      appendFileSync(this.file, JSON.stringify(event) + '\n')
    }
    return { isDuplicate }
  }

  find(filter) {
    return [...this.events.values()]
      .filter(event => matches(filter, event))
      .sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
      .slice(0, Math.min(filter.limit ?? MOST, MOST))
  }

  async destroy() {}
}

function addressOf({ id, kind, pubkey, tags }) {
  if (kind === 0 || kind === 3 || (kind >= 10000 && kind < 20000)) {
    return `${kind}:${pubkey}`
  }
  if (kind >= 30000 && kind < 40000) {
    return `${kind}:${pubkey}:${tags.find(t => t[0] === 'd')?.[1] ?? ''}`
  }
  return id
}

function matches(filter, event) {
  const has = (list, value) => !list || list.includes(value)
  return has(filter.ids, event.id) && has(filter.authors, event.pubkey) && has(filter.kinds, event.kind) &&
    event.created_at >= (filter.since ?? 0) && event.created_at <= (filter.until ?? Infinity) &&
    Object.entries(filter).filter(([name]) => name.startsWith('#'))
      .every(([name, values]) => event.tags.some(t => t[0] === name.slice(1) && values.includes(t[1])))
}

const [port, file] = process.argv.slice(2)
const relay = new NostrRelay(new Lines(file), { logLevel: LogLevel.ERROR })
const validator = new Validator()
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port) }, () => print({ ready: true }))
server.on('connection', socket => {
  relay.handleConnection(socket)
  socket.on('message', async data => {
    try {
      await relay.handleMessage(socket, await validator.validateIncomingMessage(data))
    } catch (error) {
      socket.send(JSON.stringify(createOutgoingNoticeMessage(error.message)))
    }
  })
  socket.on('close', () => relay.handleDisconnect(socket))
  socket.on('error', () => socket.terminate())
})
