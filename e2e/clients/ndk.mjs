// How every NDK script connects.
import './node18.mjs'
import WebSocket from 'ws'
import NDK, { NDKPrivateKeySigner } from '@nostr-dev-kit/ndk'
import { within } from './common.mjs'

export async function connectNDK(url, secret) {
  globalThis.WebSocket ??= WebSocket
  const ndk = new NDK({
    explicitRelayUrls: [url],
    enableOutboxModel: false,
    aiGuardrails: false,
    signer: secret ? new NDKPrivateKeySigner(secret) : undefined,
  })
  await within(5000, 'connection', done => {
    ndk.pool.on('relay:connect', done)
    return ndk.connect()
  })
  return ndk
}
