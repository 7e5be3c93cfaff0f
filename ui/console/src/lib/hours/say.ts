import type { DayView, Hours, HoursView, Monthly, Span } from '../../api/types.ts'
import { hhmm } from '../time.ts'
import { t, words } from '../words.svelte.ts'
import { opening } from './change.ts'
import { today, valid, type Day } from './days.ts'
import { merge } from './spans.ts'

/** « 17 h 30 », « minuit », or 17:30 in English. */
export function clockOf(minutes: number, lang: string = words.lang): string {
  const m = minutes % 1440
  if (lang !== 'fr') return hhmm(m)
  if (m === 0) return 'minuit'
  return `${Math.floor(m / 60)}\u00a0h${m % 60 ? '\u00a0' + String(m % 60).padStart(2, '0') : ''}`
}

export const spanOf = (s: Span): string => t(s.to > 1440 ? 'console.hours.span.night' : 'console.hours.span', { from: clockOf(s.from), to: clockOf(s.to) })

/** « de 8 h à 12 h et de 13 h 30 à 17 h », or « fermé ». */
export function spansOf(spans: readonly Span[]): string {
  const all = merge(spans)
  if (all.length === 0) return t('console.closed')
  return new Intl.ListFormat(words.lang, { type: 'conjunction' }).format(all.map(spanOf))
}

/** French writes the first of a month as an ordinal. */
const first = (s: string, lang: string) => (lang === 'fr' ? s.replace(/(^|\s)1 (?=\p{L})/u, '$11er ') : s)

const format = (day: Day, o: Intl.DateTimeFormatOptions, lang: string) => first(new Intl.DateTimeFormat(lang === 'en' ? 'en-GB' : lang, { ...o, timeZone: 'UTC' }).format(new Date(day + 'T00:00:00Z')), lang)

/** « vendredi 27 novembre »; with its year when that is not this one. */
export function dayOf(day: Day, now: number = Date.now(), lang: string = words.lang): string {
  if (!valid(day)) return day
  const year = day.slice(0, 4) === today(now).slice(0, 4) ? {} : ({ year: 'numeric' } as const)
  return format(day, { weekday: 'long', day: 'numeric', month: 'long', ...year }, lang)
}

export const shortDay = (day: Day, lang: string = words.lang): string => (valid(day) ? format(day, { weekday: 'short', day: 'numeric', month: 'short' }, lang) : day)
export const monthOf = (day: Day, lang: string = words.lang): string => format(day, { month: 'long', year: 'numeric' }, lang)
export const weekdayName = (d: number, form: 'long' | 'short' = 'long', lang: string = words.lang): string => new Intl.DateTimeFormat(lang, { weekday: form, timeZone: 'UTC' }).format(new Date(Date.UTC(2023, 0, 1 + d)))
export const capital = (s: string): string => s.charAt(0).toLocaleUpperCase(words.lang) + s.slice(1)

/** « du 1er juillet au 31 août », or the one day. */
export const periodOf = (from: Day, to: Day | undefined, now?: number): string => (to && to !== from ? t('console.hours.period', { from: dayOf(from, now), to: dayOf(to, now) }) : dayOf(from, now))

export const nthOf = (n: number): string => word('console.hours.nth.', n < 0 ? 'last' : String(n))

/** « le premier mardi de chaque mois, de 17 h 30 à 20 h » */
export const monthlyOf = (m: Monthly): string => t('console.hours.monthly.is', { nth: nthOf(m.nth), day: weekdayName(m.day), spans: spansOf(m.spans) })

const cause = (code: string, why: string): string => {
  const known = words.t.code('console.hours.cause.', code, 'console.hours.cause.weekly')
  return why ? t('console.hours.because', { cause: known, why }) : known
}

/** Why a day is as it is; empty on an ordinary one. */
export function reasonOf(d: DayView): string {
  if (d.spans.some((s) => s.refused)) return cause('no-agreement', '')
  const special = d.spans.find((s) => s.cause !== d.cause && s.cause !== 'weekly')
  const parts = [d.cause && d.cause !== 'weekly' && d.cause !== 'always' ? cause(d.cause, d.why) : '', special ? cause(special.cause, special.why) : '']
  if (d.public && d.cause !== 'public') parts.unshift(cause('public', d.public))
  if (d.school && d.cause !== 'school') parts.push(cause('school', d.school))
  return parts.filter(Boolean).join(' ; ')
}

/** What a day is, as one would say it. */
export const sayDay = (d: DayView): string => t('console.hours.day.is', { day: dayOf(d.day), what: spansOf(opening(d)) })

/** What holds now. */
export function nowOf(v: HoursView, now: number): string {
  if (v.hours.always) return t('console.hours.now.always')
  const until = v.until ? new Date(v.until) : undefined
  if (!until || Number.isNaN(until.getTime()) || until.getUTCFullYear() < 2000) return t(v.open ? 'console.hours.now.open' : 'console.hours.now.never')
  const day = today(until.getTime())
  const parts = Object.fromEntries(new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(until).map((p) => [p.type, Number(p.value)]))
  const time = clockOf(parts.hour! * 60 + parts.minute!)
  if (v.open) return day === today(now) ? t('console.hours.now.until', { time }) : t('console.hours.now.until.day', { time, day: dayOf(day, now) })
  return day === today(now) ? t('console.hours.now.opens', { time }) : t('console.hours.now.opens.day', { time, day: dayOf(day, now) })
}

/** Why it is so, when that is worth saying. */
export function whyNow(v: HoursView): string {
  if (v.hours.always || !v.cause || v.cause === 'weekly' || v.cause === 'always') return ''
  return capital(cause(v.cause, v.why)) + '.'
}

/** A word of the catalogue by its code. */
export const word = (prefix: 'console.hours.mark.' | 'console.hours.legend.' | 'console.hours.task.' | 'console.hours.accord.state.' | 'console.hours.nth.' | 'console.hours.cell.', code: string): string => words.t.code(prefix, code, 'reason.none')

/** Whose week a person edits. */
export type Which = { of: 'weekly' | 'school' } | { of: 'season'; i: number }

export function weekOf(h: Hours, w: Which): Span[][] {
  if (w.of === 'season') return h.seasons[w.i]?.weekly ?? h.weekly
  return w.of === 'school' ? h.school.weekly : h.weekly
}

export function withWeek(h: Hours, w: Which, week: Span[][]): Hours {
  if (w.of === 'season') return { ...h, seasons: h.seasons.map((s, i) => (i === w.i ? { ...s, weekly: week } : s)) }
  return w.of === 'school' ? { ...h, school: { ...h.school, weekly: week } } : { ...h, weekly: week }
}
