import { describe, expect, it } from 'vitest'
import type { Certificate } from '../api/types.ts'
import { cssString, dateName, day, groups, monthName, months, verdict } from './certificate.ts'

const base = { findings: [], audit: { holds: true }, total: { sessions: { n: 12 }, failed: 0, missing: 0, awaited: 0 } }
const made = (more: object, total: object = {}) => ({ ...base, ...more, total: { ...base.total, ...total } }) as unknown as Certificate

describe('verdict', () => {
  it('says the worst first', () => {
    expect(verdict(made({}))).toEqual({ says: 'proven', n: 0 })
    expect(verdict(made({}, { sessions: { n: 0 } })).says).toBe('none')
    expect(verdict(made({}, { sessions: { n: 0, hidden: 'few' } })).says).toBe('proven')
    expect(verdict(made({}, { awaited: 2 }))).toEqual({ says: 'awaited', n: 2 })
    expect(verdict(made({}, { awaited: 2, failed: 1, missing: 3 }))).toEqual({ says: 'unproven', n: 4 })
    expect(verdict(made({ findings: [{}] }, { missing: 3 })).says).toBe('broken')
    expect(verdict(made({ audit: { holds: false } })).says).toBe('broken')
  })
})

describe('months', () => {
  it('counts back from the month in Paris', () => {
    expect(months(Date.parse('2026-02-28T23:30:00Z'), 4)).toEqual(['2026-03', '2026-02', '2026-01', '2025-12'])
    expect(monthName('2026-03', 'fr')).toBe('mars 2026')
  })
  it('names the last day of a month, not the first of the next', () => {
    expect(day('2026-03-31T22:00:00Z', 'fr', 1)).toBe('31 mars 2026')
    expect(day('2026-02-28T23:00:00Z', 'fr')).toBe('1er mars 2026')
    expect(dateName('2026-03-31', 'en')).toBe('March 31, 2026')
  })
})

it('groups a digest', () => expect(groups('0123456789abcdef01')).toBe('01234567 89abcdef 01'))

it('writes a string that CSS cannot leave', () => {
  expect(cssString('Collège "x"\\; }')).toBe('"Collège \\22 x\\22 \\5c \\3b  \\7d "')
})
