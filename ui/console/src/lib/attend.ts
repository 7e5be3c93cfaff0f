import type { MatterView } from '../api/types.ts'
import { to } from './route.svelte.ts'
import { sentence, t, words } from './words.svelte.ts'

/** What is wrong, in a sentence: the matter's own, or that of its reason. */
export function say(m: MatterView): string {
  const about = m.code === 'device-lost' ? sentence('console.device.', m.about) : (m.about ?? '')
  const own = words.t.code('console.attend.say.', m.code, 'reason.none', { count: m.count ?? 0, about })
  return own !== t('reason.none') ? own : sentence('reason.', m.why || m.code)
}

/** What to do; empty for a code that is newer than this page. */
export function fix(m: MatterView): string {
  const none = t('reason.none')
  // Some reasons ask for something of their own.
  const own = m.why ? words.t.code('console.attend.fix.', m.why, 'reason.none') : none
  if (own !== none) return own
  const found = words.t.code('console.attend.fix.', m.code, 'reason.none')
  return found === none ? '' : found
}

/** Where to do it. */
export function door(m: MatterView): { href: string; text: string } | undefined {
  if (m.code.startsWith('prints-')) return { href: '#/prints', text: t('console.attend.see.prints') }
  if (m.code === 'calendar-ending') return { href: '#/calendars', text: t('console.attend.see.calendars') }
  if (m.terminal) return { href: to.terminal(m.terminal), text: t('console.attend.see') }
  return
}
