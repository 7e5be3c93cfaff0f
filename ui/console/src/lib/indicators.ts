/** A period that the page offers: a value for a select, its first and last day. */
export interface Period {
  value: string
  kind: 'month' | 'school' | 'year'
  from: string
  to: string
}

const day = (y: number, m: number, d: number) => new Date(Date.UTC(y, m, d)).toISOString().slice(0, 10)

/** The periods up to now, newest first, as the clocks in Paris show today: whole months, which is what everybody may see. */
export function periods(now: number): Period[] {
  const [y, m] = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris', year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(now)).split('-').map(Number) as [number, number, number]
  const all: Period[] = []
  const school = m >= 9 ? y : y - 1
  for (let i = 0; i < 5; i++) all.push({ value: `school:${school - i}`, kind: 'school', from: day(school - i, 8, 1), to: day(school - i + 1, 8, 0) })
  for (let i = 0; i < 5; i++) all.push({ value: `year:${y - i}`, kind: 'year', from: day(y - i, 0, 1), to: day(y - i, 12, 0) })
  for (let i = 0; i < 24; i++) {
    const from = day(y, m - 1 - i, 1)
    all.push({ value: `month:${from.slice(0, 7)}`, kind: 'month', from, to: day(y, m - i, 0) })
  }
  return all
}

/** As much of a period as is over for good, for who may not see small numbers; nothing when it is too early. */
export const clip = (p: Period, over: string): Period | undefined => (p.from > over ? undefined : p.to > over ? { ...p, to: over } : p)

/** "année scolaire 2026-2027", "2026", "septembre 2026"; the words around them are the caller's. */
export function periodName(p: Period, lang: string): string {
  const y = Number(p.from.slice(0, 4))
  if (p.kind === 'school') return `${y}-${y + 1}`
  if (p.kind === 'year') return String(y)
  return monthName(p.from.slice(0, 7), lang)
}

export const monthName = (month: string, lang: string): string => new Intl.DateTimeFormat(lang, { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(new Date(`${month}-01T00:00:00Z`))
export const monthShort = (month: string, lang: string): string => new Intl.DateTimeFormat(lang, { month: 'short', timeZone: 'UTC' }).format(new Date(`${month}-01T00:00:00Z`))

/** What is written where there is nothing to divide. */
export const NOTHING = '—'

/** A count as the language writes it, or the caller’s word where it may not be told. */
export const count = (n: number | undefined, lang: string, untold: string): string => (n === undefined ? untold : new Intl.NumberFormat(lang).format(n))

export const hours = (seconds: number, lang: string): string => new Intl.NumberFormat(lang, { style: 'unit', unit: 'hour', maximumFractionDigits: 0 }).format(seconds / 3600)

const minutes = (seconds: number, lang: string): string => new Intl.NumberFormat(lang, { style: 'unit', unit: 'minute', maximumFractionDigits: 0 }).format(seconds / 60)

/** How long a visit was, in the mean or in the middle: of no visit, nothing. */
export const length = (seconds: number | undefined, visits: number | undefined, lang: string, untold: string): string => (seconds !== undefined ? minutes(seconds, lang) : visits === 0 ? NOTHING : untold)

/** A part of a whole, in percent, or the caller’s word where either may not be told. */
export function share(part: number | undefined, whole: number | undefined, lang: string, untold: string): string {
  if (whole === 0) return NOTHING
  if (part === undefined || whole === undefined) return untold
  return new Intl.NumberFormat(lang, { style: 'percent', maximumFractionDigits: 0 }).format(part / whole)
}

/** The address of a file: the browser sends the session with it. */
export function exportOf(what: 'table' | 'open' | 'dictionary', q: { from: string; to: string; by?: string; of?: string }): string {
  const p = new URLSearchParams({ what, from: q.from, to: q.to })
  if (q.by) p.set('by', q.by)
  if (q.of) p.set('of', q.of)
  return `/api/indicators/export?${p}`
}
