import type { Wrong } from '../../api/client.ts'
import type { Policy } from '../../api/types.ts'
import { t } from '../../lib/words.svelte.ts'

/** What is wrong at a path or below it: "web.allowed" takes "web.allowed[3]" too. */
export function errorsAt(wrong: Wrong[], path: string): string[] {
  return [...new Set(wrong.filter((w) => w.at === path || w.at.startsWith(path + '.') || w.at.startsWith(path + '[')).map((w) => w.message))]
}

/** Whole numbers of a text like "10, 5 et 1". */
export function numbersOf(text: string): number[] {
  return (text.match(/\d{1,4}/g) ?? []).map(Number)
}

/** The session's rules as one would say them. */
export function summary(p: Policy): string {
  const s = p.session
  return t('console.session.summary', { minutes: s.minutes, extend: s.extendMinutes, max: s.maxMinutes, idle: Math.round(s.idleSeconds / 60), grace: s.graceSeconds })
}
