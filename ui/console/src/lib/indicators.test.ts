import { describe, expect, it } from 'vitest'
import { clip, count, exportOf, length, monthName, NOTHING, periodName, periods, share } from './indicators.ts'

describe('indicators', () => {
  it('offers whole months, years and school years, by the clocks in Paris', () => {
    const all = periods(Date.parse('2026-08-31T22:30:00Z')) // 1 September, half past midnight
    expect(all[0]).toEqual({ value: 'school:2026', kind: 'school', from: '2026-09-01', to: '2027-08-31' })
    expect(all.find((p) => p.value === 'year:2026')).toMatchObject({ from: '2026-01-01', to: '2026-12-31' })
    expect(all.find((p) => p.kind === 'month')).toMatchObject({ value: 'month:2026-09', from: '2026-09-01', to: '2026-09-30' })
    expect(all.at(-1)).toMatchObject({ value: 'month:2024-10', from: '2024-10-01', to: '2024-10-31' })
    expect(all.find((p) => p.value === 'month:2026-02')).toMatchObject({ to: '2026-02-28' })
    expect(periods(Date.parse('2026-08-31T12:00:00Z'))[0]!.value).toBe('school:2025')
  })
  it('names them', () => {
    expect(periodName({ value: 'x', kind: 'school', from: '2026-09-01', to: '2027-08-31' }, 'fr')).toBe('2026-2027')
    expect(monthName('2026-09', 'fr')).toBe('septembre 2026')
  })
  it('shows who may not see small numbers as much as is over', () => {
    const p = { value: 'year:2026', kind: 'year' as const, from: '2026-01-01', to: '2026-12-31' }
    expect(clip(p, '2026-09-30')).toEqual({ ...p, to: '2026-09-30' })
    expect(clip(p, '2027-02-28')).toEqual(p)
    expect(clip(p, '2025-12-31')).toBeUndefined()
  })
  it('says what may not be told in words, 0 where there is nothing, and a dash where nothing can be divided', () => {
    expect([count(undefined, 'fr', 'n. c.'), count(0, 'fr', 'n. c.')]).toEqual(['n. c.', '0'])
    expect(share(3, 4, 'fr', 'n. c.')).toMatch(/^75\s%$/)
    expect([share(undefined, 4, 'fr', 'n. c.'), share(1, undefined, 'fr', 'n. c.'), share(0, 0, 'fr', 'n. c.')]).toEqual(['n. c.', 'n. c.', NOTHING])
    expect([length(undefined, 3, 'fr', 'n. c.'), length(undefined, undefined, 'fr', 'n. c.'), length(undefined, 0, 'fr', 'n. c.')]).toEqual(['n. c.', 'n. c.', NOTHING])
    expect(length(90 * 60, 3, 'fr', 'n. c.')).toContain('90')
  })
  it('asks for files with what was asked', () => {
    expect(exportOf('open', { from: '2026-09-01', to: '2026-09-30', of: 'site:a&b' })).toBe('/api/indicators/export?what=open&from=2026-09-01&to=2026-09-30&of=site%3Aa%26b')
  })
})
