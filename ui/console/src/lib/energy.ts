import type { EnergySum } from '../api/types.ts'

/** The stretches of days that the page offers. */
export type Stretch = 'month' | 'before' | 'year'

const day = (d: Date) => d.toISOString().slice(0, 10)

/** First and last day of a stretch, as the clocks in Paris show today. */
export function days(stretch: Stretch, now: number): { from: string; to: string } {
  const [y, m, d] = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris', year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(now)).split('-').map(Number) as [number, number, number]
  const at = (year: number, month: number, date: number) => day(new Date(Date.UTC(year, month, date)))
  if (stretch === 'before') return { from: at(y, m - 2, 1), to: at(y, m - 1, 0) }
  if (stretch === 'year') return { from: at(y - 1, m - 1, d + 1), to: at(y, m - 1, d) }
  return { from: at(y, m - 1, 1), to: at(y, m - 1, d) }
}

/** How long, in hours: "312 h"; minutes below ten hours. */
export function long(seconds: number, lang: string): string {
  const hours = seconds / 3600
  return new Intl.NumberFormat(lang, { style: 'unit', unit: 'hour', maximumFractionDigits: hours < 10 ? 1 : 0 }).format(hours)
}

export function kwh(n: number, lang: string): string {
  return new Intl.NumberFormat(lang, { maximumFractionDigits: Math.abs(n) < 10 ? 2 : 1 }).format(n) + '\u00a0kWh'
}

export const euros = (n: number, lang: string): string => new Intl.NumberFormat(lang, { style: 'currency', currency: 'EUR' }).format(n)

/** A price of a kWh: a tenth of a cent counts. */
export const price = (n: number, lang: string): string => new Intl.NumberFormat(lang, { style: 'currency', currency: 'EUR', minimumFractionDigits: 2, maximumFractionDigits: 4 }).format(n)

/** The part of what always being on would have drawn that was saved, from 0 to 1. */
export const saved = (s: EnergySum): number => (s.alwaysKwh > 0 ? Math.max(0, Math.min(1, s.savedKwh / s.alwaysKwh)) : 0)

/** "Raspberry Pi 4, Compute Module 4" as the parts of it. */
export const parts = (text: string): string[] =>
  text
    .split(',')
    .map((s) => s.trim())
    .filter(Boolean)
