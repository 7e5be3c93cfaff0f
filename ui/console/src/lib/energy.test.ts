import { describe, expect, it } from 'vitest'
import type { EnergySum } from '../api/types.ts'
import { days, kwh, long, parts, price, saved } from './energy.ts'

describe('energy', () => {
  it('knows the days of a stretch, by the clocks in Paris', () => {
    const at = Date.parse('2026-03-31T22:30:00Z') // 1 April, half past midnight
    expect(days('month', at)).toEqual({ from: '2026-04-01', to: '2026-04-01' })
    expect(days('before', at)).toEqual({ from: '2026-03-01', to: '2026-03-31' })
    expect(days('year', at)).toEqual({ from: '2025-04-02', to: '2026-04-01' })
    expect(days('before', Date.parse('2026-01-15T12:00:00Z'))).toEqual({ from: '2025-12-01', to: '2025-12-31' })
    expect(days('before', Date.parse('2028-03-15T12:00:00Z'))).toEqual({ from: '2028-02-01', to: '2028-02-29' })
  })
  it('writes figures as the language does', () => {
    expect(long(3600 * 312, 'fr')).toMatch(/^312\sh$/)
    expect(long(5400, 'fr')).toMatch(/^1,5\sh$/)
    expect(kwh(4.256, 'fr')).toBe('4,26\u00a0kWh')
    expect(kwh(42.56, 'en')).toBe('42.6\u00a0kWh')
    expect(price(0.194, 'fr')).toMatch(/^0,194\s€$/)
    expect(price(0.2, 'fr')).toMatch(/^0,20\s€$/)
  })
  it('tells the part that was saved, never more than all nor less than nothing', () => {
    const sum = (alwaysKwh: number, savedKwh: number) => ({ alwaysKwh, savedKwh }) as EnergySum
    expect([saved(sum(10, 6)), saved(sum(0, 0)), saved(sum(10, -3)), saved(sum(10, 12))]).toEqual([0.6, 0, 0, 1])
  })
  it('reads names that are separated by commas', () => {
    expect(parts(' Raspberry Pi 4, Compute Module 4 ,,')).toEqual(['Raspberry Pi 4', 'Compute Module 4'])
    expect(parts('')).toEqual([])
  })
})
