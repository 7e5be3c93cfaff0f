import type { Span } from '../../api/types.ts'

/** In their order; those that touch or overlap are one. */
export function merge(spans: readonly Span[]): Span[] {
  const out: Span[] = []
  for (const s of [...spans].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = out.at(-1)
    if (last && s.from <= last.to) last.to = Math.max(last.to, s.to)
    else if (s.to > s.from) out.push({ from: s.from, to: s.to })
  }
  return out
}

/** Open from–to besides. */
export const cover = (spans: readonly Span[], from: number, to: number): Span[] => merge([...spans, { from, to }])

/** Closed from–to; what is left of a span stays. */
export const cut = (spans: readonly Span[], from: number, to: number): Span[] =>
  merge(spans.flatMap((s) => (s.to <= from || s.from >= to ? [s] : [{ from: s.from, to: Math.min(s.to, from) }, { from: Math.max(s.from, to), to: s.to }].filter((p) => p.to > p.from))))

export const same = (a: readonly Span[], b: readonly Span[]): boolean => a.length === b.length && a.every((s, i) => s.from === b[i]!.from && s.to === b[i]!.to)

/** How much of a quarter of an hour is open: all, some of it, or nothing. */
export function quarter(spans: readonly Span[], from: number): 'open' | 'some' | 'closed' {
  const n = spans.reduce((sum, s) => sum + Math.max(0, Math.min(s.to, from + 15) - Math.max(s.from, from)), 0)
  return n >= 15 ? 'open' : n > 0 ? 'some' : 'closed'
}

/** Opens or closes a rectangle of the week: some weekdays, from–to. What lies outside it stays, to the minute. */
export const paint = (week: readonly Span[][], days: readonly number[], from: number, to: number, open: boolean): Span[][] =>
  week.map((spans, d) => (days.includes(d) ? (open ? cover(spans, from, to) : cut(spans, from, to)) : spans))

const noon = 12 * 60

/** Where the morning ends and the afternoon begins: the pause around noon, or noon. */
export function pause(spans: readonly Span[]): Span {
  const all = merge(spans)
  for (let i = 0; i + 1 < all.length; i++) {
    const gap = { from: all[i]!.to, to: all[i + 1]!.from }
    if (gap.from <= 14 * 60 && gap.to >= 11 * 60 + 30) return gap
  }
  return { from: noon, to: noon }
}

export type Part = 'day' | 'morning' | 'afternoon' | 'times'

/** What of a day is closed: a span after midnight belongs to the evening that began it. */
export function windowOf(part: Part, spans: readonly Span[], times: Span): Span {
  const p = pause(spans)
  if (part === 'day') return { from: 0, to: 2880 }
  if (part === 'morning') return { from: 0, to: p.to }
  if (part === 'afternoon') return { from: p.from, to: 2880 }
  return times
}

export const empty = (week: readonly Span[][]): boolean => week.every((d) => d.length === 0)

/** The latest end of a day, or else when it is closed. */
export const endOfDay = (spans: readonly Span[], otherwise: number): number => (spans.length ? Math.max(...spans.map((s) => s.to)) : otherwise)
