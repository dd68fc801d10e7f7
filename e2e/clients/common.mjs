// What every script shares: lines of JSON on stdout, and promises that end.

export function print(value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}

// within calls start with a function that resolves, and rejects after ms.
export function within(ms, what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms)
    const settle = then => value => {
      clearTimeout(timer)
      then(value)
    }
    Promise.resolve(start(settle(resolve), settle(reject))).catch(settle(reject))
  })
}

// key is the secret key of a role: the same name gives the same key, so that separate processes know each other.
export async function key(role) {
  const { getPublicKey } = await import('nostr-tools/pure')
  const seed = process.env.E2E_SEED ?? 'dvmrelay e2e'
  const { createHash } = await import('node:crypto')
  const secret = new Uint8Array(createHash('sha256').update(`${seed} ${role}`).digest())
  return { secret, pubkey: getPublicKey(secret) }
}

// sameIds compares two lists of ids whatever their order.
export function sameIds(got, want) {
  return JSON.stringify([...got].sort()) === JSON.stringify([...want].sort())
}

export function check(ok, what, ...details) {
  if (!ok) {
    throw new Error([what, ...details.map(d => JSON.stringify(d))].join(' '))
  }
}
