import { expect, test } from 'vitest'
import type { BadgeDesk, BadgeView } from '../api/types.ts'
import { groupsOf, halved, lastDay, spaced, standing, unnamed } from './badges.ts'

const badge = (more: Partial<BadgeView> = {}): BadgeView => ({ number: '572001034', rev: 'r1', kind: 'permanent', group: 'Famille', site: 'a', siteName: 'MIE Cluses', sites: [], disabled: false, lost: false, created: '2026-03-02T00:00:00Z', seen: '', ...more })
const now = Date.parse('2026-03-02T09:00:00Z')

test('numbers and codes are read in pieces', () => {
  expect(spaced('572001034')).toBe('572 001 034')
  expect(halved('ACDE2345')).toBe('ACDE-2345')
})

test('the worst is said first', () => {
  expect(standing(badge(), now)).toBe('good')
  expect(standing(badge({ expires: '2026-03-02T09:00:00Z' }), now)).toBe('expired')
  expect(standing(badge({ expires: '2020-01-01T00:00:00Z', disabled: true }), now)).toBe('stopped')
  expect(standing(badge({ disabled: true, lost: true }), now)).toBe('lost')
  expect(standing(badge({ kind: 'day' }), now)).toBe('drawer')
  expect(standing(badge({ kind: 'day', until: '2026-03-02T17:00:00Z' }), now)).toBe('given')
  expect(standing(badge({ kind: 'day', until: '2026-03-01T17:00:00Z' }), now)).toBe('drawer')
})

test('a group that no rules name is told', () => {
  const desk: BadgeDesk = { codes: [], followed: false, staff: [], sites: [{ site: 'a', codes: true, badges: true, groups: ['Senior', 'Famille'] }, { site: 'b', codes: false, badges: true, groups: ['Famille'] }] }
  expect(groupsOf(desk)).toEqual(['Famille', 'Senior'])
  expect(groupsOf(undefined)).toEqual([])
  for (const typed of ['', '  ', 'famille', ' Senior ']) expect(unnamed(typed, groupsOf(desk)), typed).toBe(false)
  expect(unnamed('Famile', groupsOf(desk))).toBe(true)
})

test('a badge is valid on its last day', () => {
  expect(lastDay('2027-06-30T22:00:00Z')).toBe('2027-06-30')
  expect(lastDay('2027-12-31T23:00:00Z')).toBe('2027-12-31')
  expect(lastDay(undefined)).toBe('')
})
