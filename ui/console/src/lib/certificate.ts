import type { Certificate } from '../api/types.ts'

/** Fewest sessions that are said: as in controller/certificate. */
export const SMALL = 5

export type Says = 'proven' | 'none' | 'awaited' | 'unproven' | 'broken'

/** What the whole certificate says, the worst first; n counts sessions where the sentence needs it. */
export function verdict(c: Certificate): { says: Says; n: number } {
  const bad = c.total.failed + c.total.missing
  if (c.findings.length > 0 || !c.audit.holds) return { says: 'broken', n: 0 }
  if (bad > 0) return { says: 'unproven', n: bad }
  if (c.total.awaited > 0) return { says: 'awaited', n: c.total.awaited }
  if (c.total.sessions.n === 0 && !c.total.sessions.hidden) return { says: 'none', n: 0 }
  return { says: 'proven', n: 0 }
}

/** Months that may be chosen, newest first: 2026-11, 2026-10, … */
export function months(now: number, count = 15): string[] {
  const [year, month] = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris', year: 'numeric', month: '2-digit' }).format(now).split('-').map(Number)
  return Array.from({ length: count }, (_, i) => {
    const m = year! * 12 + month! - 1 - i
    return `${Math.floor(m / 12)}-${String((m % 12) + 1).padStart(2, '0')}`
  })
}

/** "mars 2026" */
export function monthName(month: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, { timeZone: 'UTC', month: 'long', year: 'numeric' }).format(new Date(month + '-01T12:00:00Z'))
}

/** "1er mars 2026", of 2026-03-01. */
export const dateName = (date: string, lang: string): string => day(date + 'T12:00:00Z', lang)

/** "1er mars 2026", of the moment or of the one just before it. */
export function day(at: string, lang: string, before = 0): string {
  const text = new Intl.DateTimeFormat(lang, { timeZone: 'Europe/Paris', dateStyle: 'long' }).format(Date.parse(at) - before)
  return lang === 'fr' ? text.replace(/^1 /, '1er ') : text
}

/** Eight characters at a time, so that people can compare them. */
export const groups = (hex: string): string => hex.replace(/(.{8})(?=.)/g, '$1 ')

/** A string of CSS: the foot of each page is one. */
export const cssString = (s: string): string => '"' + s.replace(/[^\p{L}\p{N} .,’'()-]/gu, (c) => '\\' + c.codePointAt(0)!.toString(16) + ' ') + '"'
