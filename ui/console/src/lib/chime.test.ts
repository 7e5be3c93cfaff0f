import { describe, expect, it } from 'vitest'
import { due, EVERY_MS, MOST, type Rung } from './chime.ts'

describe('the sound of a call', () => {
  const call = { id: 'a', times: 1 }
  it('comes at once, again now and then, and not for ever', () => {
    const rung: Rung = new Map()
    let n = 0
    for (let now = 0; now < EVERY_MS * (MOST + 10); now += 1000) if (due([call], rung, now)) n++
    expect(n).toBe(MOST)
    expect(due([], new Map(), 0)).toBe(false)
  })
  it('does not come between two repetitions, and stops once it is answered', () => {
    const rung: Rung = new Map()
    expect(due([call], rung, 0)).toBe(true)
    expect(due([call], rung, EVERY_MS - 1)).toBe(false)
    expect(due([], rung, EVERY_MS)).toBe(false)
    expect(rung.size).toBe(0)
  })
  it('comes anew for another person, and for one who presses again', () => {
    const rung: Rung = new Map()
    due([call], rung, 0)
    expect(due([call, { id: 'b', times: 1 }], rung, 1000)).toBe(true)
    expect(due([{ id: 'a', times: 2 }], rung, 2000)).toBe(true)
  })
})
