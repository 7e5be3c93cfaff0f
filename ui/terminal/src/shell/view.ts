/** The view that the agent sends: the same words as the Go package kiosk/shell. */
export interface View {
  screen: Screen
  lang: string
  languages: string[] | null
  place: { site: string; space: string; terminal: string; help?: string }
  reason?: string
  missing?: string[]
  bar?: { leftSeconds: number; totalSeconds: number; pagesLeft: number; ending: boolean; refused?: string; print?: BarPrint }
  warning?: { kind: WarningKind; leftSeconds: number; ofSeconds: number; minutes?: number }
  print?: Print
  staff?: Staff
  /** Staff may type their code. */
  team?: boolean
  charter?: { minutes: number; pages: number; badge?: boolean }
  told?: Told
  near?: Near
  opening?: { at?: string; cause?: string; why?: string; meanwhile?: string }
  wipe?: { full: boolean; millis: number; receipt: string; checks: Check[] | null; reason: string; smile?: 'ask' | 'done' }
  help?: Help
  message?: string
  notice?: string
  identify?: string
  badge: 'none' | 'offered' | 'required' | 'code'
  codes?: boolean
  sim?: boolean
  dim?: boolean
  offline?: boolean
}

/** What became of the person's call for help. */
export interface Help {
  state: 'asked' | 'coming' | 'late' | 'offline'
  phone?: string
}

/** What people are told beside the product's own words; days are 0 or missing when not known. */
export interface Told {
  responsible?: string
  dpo?: string
  charter?: string[]
  number?: number
  since?: string
  usage?: number
  security?: number
  technical?: number
}

/** Minutes after midnight. */
export interface Span {
  from: number
  to: number
}

export interface Near {
  here?: { who: string; note?: string; spans: Span[] | null }[]
  near?: { name: string; kind: string; address: string; phone?: string; metres?: number; today: Span[] | null }[]
}

export type Screen =
  | 'starting'
  | 'welcome'
  | 'charter'
  | 'opening'
  | 'session'
  | 'warning'
  | 'print'
  | 'staff'
  | 'wiping'
  | 'thanks'
  | 'closed'
  | 'quarantined'
  | 'broken'
  | 'updating'
  | 'maintenance'

export type WarningKind = 'idle' | 'time' | 'closing' | 'message' | 'extended' | 'restart'

export interface Check {
  name: string
  before: number
  result: string
}

/** How somebody wants it printed; range as printjob.ParseRanges reads it, empty for all pages. */
export interface Choice {
  copies: number
  duplex?: boolean
  colour?: boolean
  range?: string
}

export interface Print extends Choice {
  stage: PrintStage
  job: string
  preview?: boolean
  pages: number
  impressions: number
  sheets: number
  maxCopies: number
  maxPages?: number
  canDuplex: boolean
  mustDuplex?: boolean
  canColour: boolean
  wrong?: boolean
  cost: number
  left: number
  leftScope?: string
  reason?: string
  reasons?: string[]
  page?: number
  note?: string
  given?: number
  staff?: string
  leftSeconds?: number
}

export type PrintStage = 'question' | 'held' | 'work' | 'refused' | 'trouble' | 'given' | 'doubtful'

export interface BarPrint {
  stage: 'queued' | 'sending' | 'printing' | 'held' | 'stopped' | 'done' | 'given' | 'printer'
  page?: number
  of?: number
  reasons?: string[]
  given?: number
  show?: boolean
}

export type Do = 'staff' | 'staff-pin' | 'staff-close' | 'staff-reopen' | 'staff-stay' | 'staff-time' | 'staff-print' | 'staff-restart' | 'staff-call' | 'staff-leave' | 'begin' | 'accept' | 'decline' | 'end' | 'still-here' | 'arrived' | 'dismiss' | 'lang' | 'home' | 'back' | 'again' | 'smile-good' | 'smile-soso' | 'smile-bad' | 'print' | 'print-cancel' | 'print-set' | 'print-ok' | 'print-show' | 'code' | 'help' | 'no-help'

/** The staff's menu: offers are the actions without their "staff-". With pin it is the question for it. */
export interface Staff {
  pin?: { wrong?: boolean; checking?: boolean; waitSeconds?: number }
  offers: string[]
  open?: boolean
  shut?: boolean
  until?: string
  stayTo?: string
  held?: number
  session?: boolean
  minutes?: number
  give: number
  grace: number
  call?: { name?: string; phone?: string; told?: boolean }
  leftSeconds: number
}

/** What goes with an action: a language, or the job that was in sight and how it is wanted. */
export interface With {
  lang?: string
  job?: string
  print?: Choice
  code?: string
  pin?: string
}

/** What every screen gets. */
export interface Scene {
  view: View
  t: import('../../../shared/i18n/format.ts').Translator<import('../../../shared/i18n/keys.ts').Key>
  act: (what: Do, more?: With) => void
}

/** What is kept differs for who comes with a badge, and so does what we promise. */
export const privacy = (v: View) => (v.charter?.badge ? 'terminal.charter.privacy.badge' : 'terminal.charter.privacy')

/** Whom to ask: the place's own contact, or the desk. */
export const helper = (v: View) => (v.place.help ? 'terminal.help.ask' : 'terminal.help.desk')

/** A number that stays on one line. */
const whole = (phone: string): string => phone.replaceAll(' ', '\u00a0')

/** What the person is told about their call; a state of a newer agent is one that stands. */
export const helpLine = (h: Help, t: Scene['t']): string => {
  if (h.state === 'coming') return t('terminal.help.coming')
  if (h.state === 'late') return h.phone ? t('terminal.help.late.phone', { phone: whole(h.phone) }) : t('terminal.help.late')
  if (h.state === 'offline') return h.phone ? t('terminal.help.offline.phone', { phone: whole(h.phone) }) : t('terminal.help.offline')
  return t('terminal.help.asked')
}

/** Screens with a button of their own for help; the bar and the page about a print have theirs. */
export const helped: Screen[] = ['welcome', 'charter', 'warning', 'thanks', 'quarantined', 'broken', 'updating', 'maintenance']

/** The same where there is little room. */
export const helpInBar = (h: Help, t: Scene['t']): string => {
  if (h.state === 'coming') return t('terminal.help.coming')
  if (h.state === 'late') return h.phone ? t('terminal.help.bar.late.phone', { phone: whole(h.phone) }) : t('terminal.help.bar.late')
  if (h.state === 'offline') return h.phone ? t('terminal.help.bar.offline.phone', { phone: whole(h.phone) }) : t('terminal.help.bar.offline')
  return t('terminal.help.bar.asked')
}

export const starting: View = {
  screen: 'starting',
  lang: 'fr',
  languages: [],
  place: { site: '', space: '', terminal: '' },
  badge: 'none',
}

const screens: Screen[] = ['starting', 'welcome', 'charter', 'opening', 'session', 'warning', 'print', 'staff', 'wiping', 'thanks', 'closed', 'quarantined', 'broken', 'updating', 'maintenance']

/** Reads one message of the agent; undefined when it is no view of ours. */
export function parseView(data: unknown): View | undefined {
  if (typeof data !== 'string') return
  let v: unknown
  try {
    v = JSON.parse(data)
  } catch {
    return
  }
  const view = v as View
  if (typeof view !== 'object' || view === null || typeof view.screen !== 'string') return
  // A screen of a newer agent: say nothing wrong.
  if (!screens.includes(view.screen) || (view.screen === 'print' && !view.print) || (view.screen === 'staff' && !view.staff?.pin && !view.staff?.offers)) return { ...starting, ...view, screen: 'starting' }
  return { ...starting, ...view, place: { ...starting.place, ...view.place } }
}

/** How the terminal's name is shown: out of service or blocked, the screen still says so beside it. */
export function identifyIn(screen: Screen): 'whole' | 'bar' | 'band' {
  if (screen === 'session') return 'bar'
  return screen === 'quarantined' || screen === 'broken' || screen === 'maintenance' ? 'band' : 'whole'
}
