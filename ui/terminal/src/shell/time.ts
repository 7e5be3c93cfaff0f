/** Seconds left now, of a figure that was right some milliseconds ago. A figure that is newer than the last tick holds as it is. */
export function leftNow(seconds: number, elapsedMs: number): number {
  return Math.max(0, Math.ceil(seconds - Math.max(0, elapsedMs) / 1000))
}

/** Minutes as people say them: 61 seconds are 2 minutes begun; under one minute it is 0. */
export function minutesOf(seconds: number): number {
  return seconds < 60 ? 0 : Math.ceil(seconds / 60)
}

const zone = 'Europe/Paris'

function dayNumber(at: Date): number {
  const p = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(at)
  return Date.parse(p + 'T00:00:00Z') / 86_400_000
}

export type When = { key: 'terminal.closed.today' | 'terminal.closed.tomorrow'; time: string } | { key: 'terminal.closed.day'; day: string; time: string }

/** Minutes after midnight as a language writes a time of day. */
export function clock(minutes: number, lang: string): string {
  const [h, m] = [Math.floor(minutes / 60) % 24, minutes % 60]
  if (lang.startsWith('fr')) return m === 0 ? `${h}\u00a0h` : `${h}\u00a0h\u00a0${String(m).padStart(2, '0')}`
  return new Intl.DateTimeFormat(lang, { timeZone: 'UTC', hour: 'numeric', minute: '2-digit' }).format(new Date(Date.UTC(2000, 0, 1, h, m)))
}

/** An instant on the place's clock; empty when it cannot be read. */
export function clockOf(at: string | undefined, lang: string): string {
  const date = new Date(at ?? '')
  if (Number.isNaN(date.getTime())) return ''
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(date)
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value)
  return clock(part('hour') * 60 + part('minute'), lang)
}

/** When an instant is, in words of the place's clock; undefined when it cannot be read or is past. */
export function when(at: string | undefined, now: Date, lang: string): When | undefined {
  const date = new Date(at ?? '')
  if (Number.isNaN(date.getTime()) || date < now) return
  const time = clockOf(at, lang)
  const days = dayNumber(date) - dayNumber(now)
  if (days === 0) return { key: 'terminal.closed.today', time }
  if (days === 1) return { key: 'terminal.closed.tomorrow', time }
  return { key: 'terminal.closed.day', time, day: new Intl.DateTimeFormat(lang, { timeZone: zone, weekday: 'long', day: 'numeric', month: 'long' }).format(date) }
}

/** Days as people say them: years and months where they are whole. */
export function lasts(days: number, t: (key: 'terminal.years' | 'terminal.months' | 'terminal.days', args: { n: number }) => string): string {
  if (days % 365 === 0) return t('terminal.years', { n: days / 365 })
  if (days % 30 === 0) return t('terminal.months', { n: days / 30 })
  return t('terminal.days', { n: days })
}
