import type { PrintJobView, SupplyView } from '../api/types.ts'

/** wire.UnitsPerPage */
export const UNIT = 100

/** What is counted when so many sides came out, in hundredths of a page: each side its part of what was set aside, the whole at most. */
export function charge(j: Pick<PrintJobView, 'asked' | 'reserved'>, sides: number): number {
  if (j.asked <= 0) return sides > 0 ? j.reserved : 0
  return Math.min(j.reserved, Math.round((j.reserved * Math.max(0, sides)) / j.asked))
}

export type Tone = 'free' | 'use' | 'stop' | 'rest'

/** How pressing a supply is: what the printer says goes before what its level looks like. */
export function tone(s: Pick<SupplyView, 'level' | 'low' | 'days'>): Tone {
  if (s.level === 0) return 'stop'
  if (s.low || (s.days !== undefined && s.days <= 7)) return 'use'
  if (s.level < 0) return 'rest'
  return s.level <= 10 ? 'use' : 'free'
}
