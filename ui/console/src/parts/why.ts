import type { TerminalBrief } from '../api/types.ts'
import { printerNeeds, printerStuck, urgency } from '../lib/fleet.ts'
import { clock } from '../lib/time.ts'
import { sentence, t, words } from '../lib/words.svelte.ts'

/** Why a terminal is as it is, as a sentence; empty when there is nothing to say. */
export function why(b: TerminalBrief, left: number): string {
  if (b.state === 'in-use') return t('console.left', { minutes: Math.ceil(left / 60) })
  if (b.state === 'asleep') return b.power?.wakes ? t('console.why.asleep', { time: clock(b.power.wakes, words.lang) }) : ''
  if (b.state === 'offline') return b.power?.trouble && b.power.wakes ? t('console.why.unwoken', { time: clock(b.power.wakes, words.lang) }) : t('console.why.offline')
  if (b.state === 'waiting') return t('console.why.waiting')
  if (b.power?.trouble) return sentence('reason.', b.power.trouble)
  if (b.state === 'closed' && b.power?.held) return t('console.why.held', { time: clock(b.power.held, words.lang) })
  if (b.reason) return sentence('reason.', b.reason)
  return device(b) || (b.state === 'free' && b.level === 'reduced' ? t('level.reduced') + '.' : '')
}

/** What needs somebody: for a terminal that serves, its broken device. */
export function whatIsWrong(b: TerminalBrief): string {
  return (urgency(b) === 1 && (b.power?.trouble ? sentence('reason.', b.power.trouble) : device(b))) || why(b, 0)
}

function device(b: TerminalBrief): string {
  const printer = b.printer ? sentence('reason.', b.printer.troubles[0] ?? 'printer-stopped') : ''
  if (printerStuck(b)) return printer
  const bad = b.devices.find((d) => d.health === 'faulted' || d.health === 'absent')
  if (bad) return t('console.why.device', { device: sentence('console.device.', bad.name), health: sentence('console.health.', bad.health) })
  return printerNeeds(b) ? printer : ''
}

/** What somebody who looks at the terminal's own page can do, with the commands they have. */
export function hintOf(b: TerminalBrief, may: readonly string[]): string {
  if (b.state === 'quarantined' && may.includes('lift')) return t('console.hint.quarantined')
  if (b.state === 'out' && may.includes('back')) return t('console.hint.out')
  if (b.power?.trouble && b.state !== 'offline') return t('console.todo.awake')
  return b.state === 'offline' ? (b.power?.trouble ? t('console.todo.unwoken') : t('console.todo.offline')) : ''
}

/** What somebody can do about it, from the fleet's page. */
export function todoOf(b: TerminalBrief): string {
  if (b.state === 'quarantined') return t('console.todo.quarantined')
  if (b.state === 'out') return t('console.todo.out')
  if (b.state === 'offline') return b.power?.trouble ? t('console.todo.unwoken') : t('console.todo.offline')
  if (b.power?.trouble) return t('console.todo.awake')
  return t('console.todo.device')
}
