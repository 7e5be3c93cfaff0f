import type { HoldView } from '../api/types.ts'

/** Something may still come of it. */
export const open = (h: HoldView): boolean => h.state === 'asked' || h.state === 'planned' || h.state === 'standing'

/** A day of the calendar, such as 2026-12-01, moved by days. */
export function later(day: string, days: number): string {
  const d = new Date(day + 'T00:00:00Z')
  d.setUTCDate(d.getUTCDate() + days)
  return d.toISOString().slice(0, 10)
}

/** A day of the calendar in words of the language: "1 décembre 2026". */
export function dayIn(day: string, lang: string): string {
  const d = new Date(day + 'T00:00:00Z')
  return Number.isNaN(d.getTime()) ? day : new Intl.DateTimeFormat(lang, { timeZone: 'UTC', dateStyle: 'long' }).format(d)
}
