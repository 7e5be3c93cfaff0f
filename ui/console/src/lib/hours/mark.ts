import type { DayView } from '../../api/types.ts'
import { opening } from './change.ts'

/** Why a day is out of the ordinary; "" when it is not. */
export type Reason = '' | 'changed' | 'public' | 'school' | 'more' | 'season' | 'refused'

export interface Mark {
  open: boolean
  reason: Reason
}

/** What the year shows of a day: open or closed, and the one thing worth knowing about it. */
export function markOf(d: DayView): Mark {
  const open = opening(d).length > 0
  const has = (cause: string) => d.spans.some((s) => s.cause === cause)
  if (d.spans.some((s) => s.refused)) return { open, reason: 'refused' }
  if (d.cause === 'exception' || has('exception')) return { open, reason: 'changed' }
  if (d.cause === 'public' || d.public) return { open, reason: 'public' }
  if (has('monthly')) return { open, reason: 'more' }
  if (d.school) return { open, reason: 'school' }
  if (d.cause === 'season' || has('season')) return { open, reason: 'season' }
  return { open, reason: '' }
}
