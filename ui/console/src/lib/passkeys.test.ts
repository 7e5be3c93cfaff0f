import { describe, expect, it } from 'vitest'
import { bytes, text } from './passkeys.ts'

describe('base64url', () => {
  it('goes both ways, whatever the length', () => {
    for (const b of [[], [0], [255, 254], [251, 239, 190], [1, 2, 3, 4]]) expect([...new Uint8Array(bytes(text(Uint8Array.from(b).buffer)))]).toEqual(b)
    expect(text(Uint8Array.from([251, 239, 255]).buffer)).toBe('--__')
    expect(text(null)).toBe('')
  })
})
