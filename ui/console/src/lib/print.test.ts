import { describe, expect, it } from 'vitest'
import { charge, tone } from './print.ts'

describe('charge', () => {
  it('gives each side its part of what was set aside, and never more', () => {
    const j = { asked: 12, reserved: 1200 }
    expect([0, 5, 12, 13, -1].map((n) => charge(j, n))).toEqual([0, 500, 1200, 1200, 0])
    expect([1, 2, 3].map((n) => charge({ asked: 3, reserved: 450 }, n))).toEqual([150, 300, 450])
    expect([1, 2, 3].map((n) => charge({ asked: 3, reserved: 100 }, n))).toEqual([33, 67, 100])
    expect([0, 1].map((n) => charge({ asked: 0, reserved: 100 }, n))).toEqual([0, 100])
  })
})

describe('tone', () => {
  it('is quiet while there is enough, and about what is not told', () => {
    expect(tone({ level: 60, low: false })).toBe('free')
    expect(tone({ level: 60, low: false, days: 30 })).toBe('free')
    expect(tone({ level: -1, low: false })).toBe('rest')
    expect(tone({ level: -2, low: false })).toBe('rest')
  })
  it('warns in time, by whatever says so first', () => {
    expect([tone({ level: 60, low: true }), tone({ level: 60, low: false, days: 7 }), tone({ level: 10, low: false }), tone({ level: -1, low: true })]).toEqual(['use', 'use', 'use', 'use'])
    expect(tone({ level: 0, low: false, days: 40 })).toBe('stop')
  })
})
