/** How long ago or how long, in words of the language: "il y a 3 minutes". */
export function ago(at: string | undefined, now: number, lang: string): string {
  const then = Date.parse(at ?? '')
  if (Number.isNaN(then)) return ''
  const s = (then - now) / 1000
  const f = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' })
  const abs = Math.abs(s)
  if (abs < 60) return f.format(0, 'second')
  if (abs < 3600) return f.format(Math.round(s / 60), 'minute')
  if (abs < 86_400) return f.format(Math.round(s / 3600), 'hour')
  return f.format(Math.round(s / 86_400), 'day')
}

const zone = 'Europe/Paris'

export function moment(at: string | undefined, lang: string): string {
  const d = new Date(at ?? '')
  if (Number.isNaN(d.getTime()) || d.getUTCFullYear() < 2000) return '—'
  return new Intl.DateTimeFormat(lang, { timeZone: zone, dateStyle: 'medium', timeStyle: 'short' }).format(d)
}

export function clock(at: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(new Date(at))
}

export function dayOf(at: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, { timeZone: zone, weekday: 'long', day: 'numeric', month: 'long' }).format(new Date(at))
}

/** Minutes of a day as "08:30"; minutes of the next day begin again at 00:00. */
export function hhmm(minutes: number): string {
  const m = ((minutes % 1440) + 1440) % 1440
  return `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`
}

/** Reads "08:30", "8h30", "8h" or "8" as minutes; undefined when it is none. */
export function minutesOf(text: string): number | undefined {
  const m = /^\s*(\d{1,2})\s*(?:[:hH]\s*(\d{2})?)?\s*$/.exec(text)
  if (!m) return
  const h = Number(m[1])
  const min = Number(m[2] ?? 0)
  return h <= 24 && min < 60 && (h < 24 || min === 0) ? h * 60 + min : undefined
}

/** An end at or before its begin is on the next day. */
export function endOf(from: number, to: number): number {
  const end = to % 1440
  return end <= from ? end + 1440 : end
}

/** Minutes until the places' midnight, whatever the zone of who asks; 1 at least. */
export function untilMidnight(now: Date): number {
  const part = (type: string) => Number(new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(now).find((p) => p.type === type)!.value)
  return 24 * 60 - part('hour') * 60 - part('minute')
}
