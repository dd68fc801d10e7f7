// Debian's node 18 has web crypto, but not as a global. This module comes first, before libraries that look for it.
import { webcrypto } from 'node:crypto'

if (!globalThis.crypto) {
  globalThis.crypto = webcrypto
}
