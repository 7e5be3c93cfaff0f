import type { BadgeDesk, BadgeView, Fleet } from '../api/types.ts'
import { terminals, type Found } from './fleet.ts'

/** A printed number as it is read: 572 001 034. */
export const spaced = (number: string): string => number.replace(/(\d{3})(?=\d)/g, '$1 ')

/** A day code as it is read: ACDE-2345. */
export const halved = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`

/** How a badge stands now. */
export type Standing = 'lost' | 'stopped' | 'expired' | 'given' | 'drawer' | 'good'

export function standing(b: BadgeView, now: number): Standing {
  if (b.lost) return 'lost'
  if (b.disabled) return 'stopped'
  if (b.expires && Date.parse(b.expires) <= now) return 'expired'
  if (b.kind !== 'day') return 'good'
  return b.until && Date.parse(b.until) > now ? 'given' : 'drawer'
}

/** The quota groups that the rules of any of these sites name. */
export const groupsOf = (desk: BadgeDesk | undefined): string[] => [...new Set((desk?.sites ?? []).flatMap((s) => s.groups))].sort((a, b) => a.localeCompare(b))

/** Whether a group was typed that no rules name: its badges have what everybody has. */
export const unnamed = (group: string, groups: string[]): boolean => group.trim() !== '' && !groups.some((g) => g.toLowerCase() === group.trim().toLowerCase())

/** The terminals that can read a badge for staff. */
export const readers = (fleet: Fleet | undefined): Found[] => (fleet ? terminals(fleet).filter((f) => f.terminal.online) : [])

/** The last day of validity, as a date field has it; the end of validity is the midnight after it. */
export function lastDay(expires: string | undefined): string {
  if (!expires) return ''
  return new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Paris' }).format(Date.parse(expires) - 1000)
}
