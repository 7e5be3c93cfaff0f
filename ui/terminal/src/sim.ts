import { translator } from '../../shared/i18n/format.ts'
import type { Key } from '../../shared/i18n/keys.ts'
import en from '../../catalogues/en.json?messages=bench'
import fr from '../../catalogues/fr.json?messages=bench'

/** State of the simulated hardware, as GET /sim/state answers. Fields that a build lacks stay unknown. */
export interface SimState {
  badges?: string[] | null
  case?: boolean | string | null
  reader?: boolean | string | null
  network?: boolean | string | null
  printer?: boolean | string | null
  screen?: boolean | string | null
  power?: boolean | string | null
  call?: boolean | string | null
  alarm?: boolean | string | null
  present?: boolean | string | null
  saving?: Saving | null
}

/** How the terminal saves energy; off: a simulated one behaves as if it were. */
export interface Saving {
  power: 'lit' | 'dim' | 'dark' | 'low' | 'halting' | 'off' | ''
  relay: 'on' | 'off' | 'none'
  governor?: string
  wakes?: string
  alarm?: string
}

export type SimAction =
  | { action: 'tap'; uids: string[]; ms?: number; kind?: string }
  | { action: 'lift' | 'call' | 'power' }
  | { action: 'alarm' | 'case' | 'reader' | 'network' | 'present'; on: boolean }
  | { action: 'printer'; jam: boolean }

export type SimInput =
  | { type: 'click' | 'move'; x: number; y: number; button?: number }
  | { type: 'key'; key: string }
  | { type: 'text'; text: string }

const language = navigator.languages.find((l) => /^(fr|en)\b/.test(l))?.slice(0, 2) ?? 'fr'
export const t = translator<Key>({ fr, en }, language)
document.documentElement.lang = language

/** Sends one gesture. Throws with the server's own words when it is refused. */
export async function post(path: '/sim/do' | '/sim/input', body: SimAction | SimInput): Promise<void> {
  const r = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-borne': '1' }, body: JSON.stringify(body), signal: AbortSignal.timeout(5000) })
  if (!r.ok) throw new Error((await r.text()).slice(0, 300).trim() || String(r.status))
}

export async function readState(): Promise<SimState> {
  const r = await fetch('/sim/state', { cache: 'no-store', signal: AbortSignal.timeout(3000) })
  if (!r.ok) throw new Error(String(r.status))
  return (await r.json()) as SimState
}

/** Reads a state word or flag as yes, no, or undefined (unknown). */
export function flag(v: boolean | string | null | undefined, yes: string[], no: string[]): boolean | undefined {
  if (typeof v === 'boolean') return v
  if (typeof v !== 'string') return
  if (yes.includes(v)) return true
  if (no.includes(v)) return false
}

export interface Badge {
  name: string
  uid: string
  /** What the card can prove; a plain number when left out. */
  kind?: 'ntag424' | 'ntag424-clone'
}

/** A UID as ISO 14443 has them: 4, 7 or 10 bytes, written with or without separators. */
export function readUID(text: string): string | undefined {
  const hex = text.replace(/[\s:.-]/g, '').toLowerCase()
  return /^(?:[0-9a-f]{8}|[0-9a-f]{14}|[0-9a-f]{20})$/.test(hex) ? hex : undefined
}

const first: Badge[] = [
  { name: 'Badge ancien', uid: 'a1b2c3d4' },
  { name: 'Badge récent', uid: '04a1b2c3d4e5f6' },
  { name: 'Badge long', uid: '04112233445566778899' },
  { name: 'Carte au numéro changeant', uid: '08f3a91c' },
  { name: 'Badge à clés', uid: '04de5f1eacc040', kind: 'ntag424' },
  { name: 'Copie d’un badge à clés', uid: '04de5f1eacc041', kind: 'ntag424-clone' },
]
const store = 'borne.bench.badges'

export function loadBadges(): Badge[] {
  try {
    const list = JSON.parse(localStorage.getItem(store) ?? 'null') as Badge[] | null
    if (Array.isArray(list) && list.every((b) => typeof b.name === 'string' && readUID(b.uid))) return list
  } catch {
    // An unreadable list is replaced by the first one.
  }
  return first
}

export function saveBadges(list: Badge[]): void {
  try {
    localStorage.setItem(store, JSON.stringify(list))
  } catch {
    // Without storage the list lives as long as the page.
  }
}
