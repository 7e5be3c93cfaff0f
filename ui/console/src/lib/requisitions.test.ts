import { expect, test } from 'vitest'
import type { HoldView } from '../api/types.ts'
import { dayIn, later, open } from './requisitions.ts'

test('days move over months, years and the change of the hour', () => {
  expect(later('2026-12-01', 89)).toBe('2027-02-28')
  expect(later('2027-03-27', 2)).toBe('2027-03-29')
  expect(later('2028-02-28', 1)).toBe('2028-02-29')
})

test('a day is said in words, and what is none stays as it is', () => {
  expect(dayIn('2026-12-01', 'fr')).toBe('1 décembre 2026')
  expect(dayIn('demain', 'fr')).toBe('demain')
})

test('a hold is open until it ended, was lifted or withdrawn', () => {
  const of = (state: HoldView['state']) => open({ state } as HoldView)
  expect((['asked', 'planned', 'standing', 'lifted', 'withdrawn', 'ended', 'lapsed'] as const).filter(of)).toEqual(['asked', 'planned', 'standing'])
})
