/** A day of the calendar, "2026-11-30": it has no zone, and sorts as text. */
export type Day = string

const ms = 86_400_000
const at = (day: Day) => Date.parse(day + 'T00:00:00Z')
const of = (t: number): Day => new Date(t).toISOString().slice(0, 10)

export const valid = (day: string): boolean => /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(at(day)) && of(at(day)) === day
export const plus = (day: Day, n: number): Day => of(at(day) + n * ms)
/** How many days after a comes b. */
export const between = (a: Day, b: Day): number => Math.round((at(b) - at(a)) / ms)
/** 0 is Sunday, as in the data. */
export const weekday = (day: Day): number => new Date(at(day)).getUTCDay()
export const monday = (day: Day): Day => plus(day, -((weekday(day) + 6) % 7))
/** The first of that weekday after a day, never the day itself. */
export const next = (day: Day, wanted: number): Day => plus(day, ((wanted - weekday(day) + 6) % 7) + 1)
export const firstOfMonth = (day: Day): Day => day.slice(0, 8) + '01'
export function addMonths(first: Day, n: number): Day {
  const d = new Date(at(firstOfMonth(first)))
  d.setUTCMonth(d.getUTCMonth() + n)
  return of(d.getTime())
}
export const daysOfMonth = (first: Day): Day[] => Array.from({ length: between(firstOfMonth(first), addMonths(first, 1)) }, (_, i) => plus(firstOfMonth(first), i))

/** The nth of that weekday in the month of a day; -1 is the last. */
export function nthOf(month: Day, nth: number, wanted: number): Day {
  if (nth < 0) return plus(addMonths(month, 1), -1 - ((weekday(plus(addMonths(month, 1), -1)) - wanted + 7) % 7))
  const first = firstOfMonth(month)
  return plus(first, ((wanted - weekday(first) + 7) % 7) + (nth - 1) * 7)
}

/** The day on the wall in Haute-Savoie, wherever the browser is. */
export const today = (now: number): Day => new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris', year: 'numeric', month: '2-digit', day: '2-digit' }).format(now)

/** Where summer hours begin and end, those of now or the next. */
export function summer(day: Day): { from: Day; to: Day } {
  const year = Number(day.slice(0, 4)) + (day > `${day.slice(0, 4)}-08-31` ? 1 : 0)
  return { from: `${year}-07-01`, to: `${year}-08-31` }
}

/** A French week begins on Monday; the data's on Sunday. */
export const order = [1, 2, 3, 4, 5, 6, 0]
