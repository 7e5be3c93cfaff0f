// What a person does to hours, as pure functions: each returns new hours.
import type { Agreement, DayView, Exception, Hours, Monthly, Season, Span } from '../../api/types.ts'
import { between, plus, weekday, type Day } from './days.ts'
import { cut, merge, same } from './spans.ts'

/** Go writes an empty list as null where nobody made one. */
export function tidy(h: Hours): Hours {
  const week = (w: readonly (Span[] | null)[] | null): Span[][] => Array.from({ length: 7 }, (_, i) => w?.[i] ?? [])
  return {
    ...h,
    weekly: week(h.weekly),
    duty: week(h.duty),
    seasons: (h.seasons ?? []).map((s) => ({ ...s, weekly: week(s.weekly) })),
    monthly: (h.monthly ?? []).map((m) => ({ ...m, spans: m.spans ?? [] })),
    exceptions: (h.exceptions ?? []).map((e) => ({ ...e, spans: e.spans ?? [] })),
    agreements: h.agreements ?? [],
    school: { ...h.school, weekly: week(h.school.weekly), breaks: h.school.breaks ?? [] },
    public: { ...h.public, worked: h.public.worked ?? [] },
  }
}

export const lastDay = (e: { day: Day; to?: Day }): Day => e.to || e.day

function during(e: Exception, from: Day, to: Day): Exception {
  const { to: _, ...rest } = e
  return { ...rest, day: from, ...(to > from ? { to } : {}) }
}

/** The exceptions without what they say for from–to: a longer one keeps its other days. */
export function cleared(list: readonly Exception[], from: Day, to: Day): Exception[] {
  return list.flatMap((e) => {
    if (lastDay(e) < from || e.day > to) return [e]
    return [...(e.day < from ? [during(e, e.day, plus(from, -1))] : []), ...(lastDay(e) > to ? [during(e, plus(to, 1), lastDay(e))] : [])]
  })
}

export const byDay = (list: Exception[]): Exception[] => [...list].sort((a, b) => a.day.localeCompare(b.day))

/** These days have these spans and no others: none at all closes them. */
export function setDays(h: Hours, from: Day, to: Day, spans: Span[], why: string): Hours {
  return { ...h, exceptions: byDay([...cleared(h.exceptions, from, to), during({ day: from, spans: merge(spans), why }, from, to)]) }
}

export const asUsual = (h: Hours, from: Day, to: Day): Hours => ({ ...h, exceptions: cleared(h.exceptions, from, to) })

export const openMore = (h: Hours, day: Day, spans: Span[], why: string): Hours => ({ ...h, exceptions: byDay([...h.exceptions, { day, spans, add: true, why }]) })

/** What is planned on a day, whether or not somebody agreed to it. */
export const planned = (d: DayView): Span[] => merge(d.spans)
/** When it is open on a day. */
export const opening = (d: DayView): Span[] => merge(d.spans.filter((s) => !s.refused))

/** Closes a part of each of some days that follow one another; hours that change nothing come back as they are. */
export function close(h: Hours, days: readonly DayView[], part: (d: DayView) => Span, why: string): Hours {
  const groups: { from: Day; to: Day; left: Span[]; changes: boolean }[] = []
  for (const d of days) {
    const was = planned(d)
    const closed = part(d)
    const left = cut(was, closed.from, closed.to)
    const last = groups.at(-1)
    if (last && same(last.left, left)) {
      last.to = d.day
      last.changes ||= !same(was, left)
    } else groups.push({ from: d.day, to: d.day, left, changes: !same(was, left) })
  }
  return groups.filter((g) => g.changes).reduce((all, g) => setDays(all, g.from, g.to, g.left, why), h)
}

const put = <V>(list: readonly V[], v: V, i?: number): V[] => (i === undefined ? [...list, v] : list.map((old, n) => (n === i ? v : old)))
const drop = <V>(list: readonly V[], i: number): V[] => list.filter((_, n) => n !== i)

export const putMonthly = (h: Hours, m: Monthly, i?: number): Hours => ({ ...h, monthly: put(h.monthly, m, i) })
export const putException = (h: Hours, e: Exception, i?: number): Hours => ({ ...h, exceptions: byDay(put(h.exceptions, e, i)) })
export const putAgreement = (h: Hours, a: Agreement, i?: number): Hours => ({ ...h, agreements: put(h.agreements, a, i) })
export const without = (h: Hours, what: 'monthly' | 'exceptions' | 'agreements', i: number): Hours => ({ ...h, [what]: drop(h[what] as unknown[], i) })

/** What another place's hours bring; who agreed and who helps stays this place's own, and so does what an agreement is asked for. */
export function copyFrom(mine: Hours, theirs: Hours, days: boolean): Hours {
  return { ...theirs, exceptions: days ? theirs.exceptions : mine.exceptions, agreements: mine.agreements, guarded: mine.guarded, duty: mine.guarded ? mine.duty : theirs.duty, meanwhile: mine.meanwhile }
}

export interface Difference {
  day: Day
  before: DayView
  after: DayView
}

/** The days that are open at other times than before. */
export function differences(before: readonly DayView[], after: readonly DayView[]): Difference[] {
  const old = new Map(before.map((d) => [d.day, d]))
  return after.flatMap((d) => {
    const b = old.get(d.day)
    return b && !same(opening(b), opening(d)) ? [{ day: d.day, before: b, after: d }] : []
  })
}

/** Planned days on which it stays closed since nobody agreed. */
export const refused = (days: readonly DayView[]): DayView[] => days.filter((d) => d.spans.some((s) => s.refused))

/** The exceptions that let a season hold in school holidays too: they bear its name. */
const overOf = (s: Season) => (e: Exception) => !e.add && e.why === s.name && e.day >= s.from && lastDay(e) <= s.to

const apart = (h: Hours, s: Season | undefined): Hours => (s ? { ...h, exceptions: h.exceptions.filter((e) => !overOf(s)(e)) } : h)

export const putSeason = (h: Hours, s: Season, i?: number): Hours => {
  const rest = apart(h, i === undefined ? undefined : h.seasons[i])
  return { ...rest, seasons: put(rest.seasons, s, i) }
}

export const withoutSeason = (h: Hours, i: number): Hours => ({ ...apart(h, h.seasons[i]), seasons: drop(h.seasons, i) })

/**
 * A season's week for the days on which school holidays would decide instead:
 * exceptions, one for days that follow one another and are alike. Days that are
 * as they are for another reason stay: a public holiday, a closing.
 */
export function overHolidays(h: Hours, s: Season, holiday: (d: Day) => boolean): Hours {
  const taken = (d: Day) => holiday(d) || h.exceptions.some((e) => !e.add && e.day <= d && lastDay(e) >= d)
  const made: Exception[] = []
  for (const b of h.school.breaks) {
    const to = b.to < s.to ? b.to : s.to
    for (let d = b.from > s.from ? b.from : s.from; d <= to; d = plus(d, 1)) {
      const spans = s.weekly[weekday(d)] ?? []
      if (spans.length === 0 || taken(d)) continue
      const last = made.at(-1)
      if (last && plus(lastDay(last), 1) === d && same(last.spans, spans)) last.to = d
      else made.push({ day: d, spans, why: s.name })
    }
  }
  return { ...h, exceptions: byDay([...h.exceptions, ...made]) }
}

export const length = (from: Day, to: Day): number => between(from, to) + 1
