import { lacking, soon } from '../../../../shared/printer.ts'
import type { BarPrint, Choice, Print, Scene } from '../view.ts'

type T = Scene['t']
const UNIT = 100 // wire.UnitsPerPage

/** Whole pages that are left of units: never more than can be printed, never less than none. */
export const whole = (units: number): number => Math.max(0, Math.floor(units / UNIT))

/** Whether two choices print the same. */
export const same = (a: Choice, b: Choice): boolean => a.copies === b.copies && !a.duplex === !b.duplex && !a.colour === !b.colour && (a.range ?? '') === (b.range ?? '')

/** Reasons for which fewer pages would do. */
const quota = ['print-quota', 'print-quota-hour', 'print-offline']
export const tooMuch = (p: Print): boolean => p.reason === 'print-job-pages' || quota.includes(p.reason ?? '')

/** Nothing is left at all: no choice helps. */
export const nothingLeft = (p: Print): boolean => quota.includes(p.reason ?? '') && p.left >= 0 && whole(p.left) === 0

/** The job in one sentence: « 12 pages, recto verso, noir et blanc. » */
function job(p: Print, t: T): string {
  const sides = t('terminal.print.sides', { copies: p.copies, n: Math.round(p.impressions / Math.max(1, p.copies)) })
  const how = [sides, p.duplex && t('terminal.print.duplex.on'), p.colour ? t('terminal.print.colour.on') : t('terminal.print.colour.off')]
  return how.filter(Boolean).join(', ') + '.'
}

function cost(p: Print, t: T): string {
  const n = p.cost / UNIT
  if (p.cost === p.impressions * UNIT) return ''
  if (n > p.impressions && p.colour) return t('terminal.print.cost.colour', { n })
  if (n < p.impressions && p.duplex) return t('terminal.print.cost.duplex', { n })
  return t('terminal.print.cost', { n })
}

/** What the question says: a large sentence, and what belongs to it. */
export function question(p: Print, t: T): { title: string; lines: string[] } {
  const scope = p.leftScope ?? ''
  if (nothingLeft(p)) {
    const hour = scope === 'hour'
    return {
      title: hour ? t('terminal.print.none.hour') : t('terminal.print.none', { scope }),
      lines: [hour ? t('terminal.print.none.do.hour') : scope === 'offline' ? t('terminal.print.none.do.offline') : t('terminal.print.none.do')],
    }
  }
  if (tooMuch(p)) {
    const pages = p.cost / UNIT
    const left = whole(p.left)
    const plain = p.copies === 1 && !p.range && p.cost === p.pages * UNIT
    const title =
      p.reason === 'print-job-pages'
        ? t('terminal.print.much.job', { pages: p.impressions, left: p.maxPages ?? 0 })
        : scope === 'hour'
          ? t('terminal.print.much.hour', { pages, left })
          : plain
            ? t('terminal.print.much.document', { pages: p.pages, left, scope })
            : t('terminal.print.much.choice', { pages, left, scope })
    const less = p.copies > 1 ? t('terminal.print.much.do.copies') : p.colour && p.canColour && p.cost > p.impressions * UNIT ? t('terminal.print.much.do.colour') : t('terminal.print.much.do')
    return { title, lines: [less] }
  }
  const lines = [cost(p, t), p.left >= 0 ? t('terminal.print.after', { n: whole(p.left - p.cost), scope }) : '']
  if (p.reason) lines.unshift(why(p.reason, t))
  return { title: job(p, t), lines: lines.filter(Boolean) }
}

/** Why, as a sentence: a code of printjob.Why, or of wire.Reason. */
export function why(code: string | undefined, t: T): string {
  const found = t.code('print.', code, 'reason.none')
  return found === t('reason.none') ? t.code('reason.', code, 'reason.none') : found
}

/** What stops the printer, as a whole sentence. */
export function trouble(reasons: readonly string[] | undefined, t: T): string {
  const stops = lacking(reasons).find((l) => !soon(l)) ?? 'help'
  return t.code('print.trouble.', stops, 'print.trouble.help')
}

/** What the bar tells; loud: somebody has to do something. */
export function inBar(b: BarPrint, t: T): { text: string; loud: boolean } {
  switch (b.stage) {
    case 'queued':
      return { text: t('terminal.bar.print.queued'), loud: false }
    case 'sending':
      return { text: t('terminal.bar.print.sending'), loud: false }
    case 'printing':
      return { text: b.page && b.of ? t('terminal.bar.print.printing', { page: Math.min(b.page, b.of), of: b.of }) : t('terminal.bar.print.busy'), loud: false }
    case 'held':
      return { text: t('terminal.bar.print.held'), loud: true }
    case 'done':
      return { text: t('terminal.bar.print.done'), loud: false }
    case 'given':
      return { text: t('terminal.bar.print.given', { n: b.given ?? 0 }), loud: true }
    default: {
      const stops = lacking(b.reasons).find((l) => !soon(l)) ?? 'help'
      return { text: t('terminal.bar.print.stopped', { what: t.code('print.state.', stops, 'print.state.help') }), loud: true }
    }
  }
}
