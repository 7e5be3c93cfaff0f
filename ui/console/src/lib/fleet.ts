import type { CommandKind, Fleet, SiteView, State, TerminalBrief } from '../api/types.ts'

export interface Found {
  terminal: TerminalBrief
  siteName: string
  spaceName: string
}

export function terminals(fleet: Fleet): Found[] {
  return fleet.sites.flatMap((s) => s.spaces.flatMap((p) => p.terminals.map((terminal) => ({ terminal, siteName: s.name, spaceName: p.name }))))
}

export type Call = Found & { help: NonNullable<TerminalBrief['help']> }

/** Who asks for help, those whom nobody has answered first, the longest waiting first. */
export function calls(fleet: Fleet): Call[] {
  return terminals(fleet)
    .flatMap((f) => (f.terminal.help ? [{ ...f, help: f.terminal.help }] : []))
    .sort((a, b) => Number(a.help.coming) - Number(b.help.coming) || a.help.since.localeCompare(b.help.since))
}

/** Puts one changed terminal in its place; undefined when the fleet has to be read anew. */
export function update(fleet: Fleet, t: TerminalBrief): Fleet | undefined {
  let placed = false
  const sites = fleet.sites.map((s) => {
    if (s.id !== t.site) return s
    return {
      ...s,
      spaces: s.spaces.map((p) => {
        if (p.id !== t.space || !p.terminals.some((x) => x.id === t.id)) return p
        placed = true
        return { ...p, terminals: p.terminals.map((x) => (x.id === t.id ? t : x)) }
      }),
    }
  })
  return placed ? { ...fleet, sites } : undefined
}

export function count(fleet: Fleet): Record<State, number> {
  const n: Record<State, number> = { free: 0, 'in-use': 0, closed: 0, out: 0, quarantined: 0, offline: 0, asleep: 0, waiting: 0 }
  for (const f of terminals(fleet)) n[f.terminal.state]++
  return n
}

const broken = (t: TerminalBrief) => t.devices.some((d) => d.health === 'faulted' || d.health === 'absent')

/** A printer that prints nothing until somebody comes. */
export const printerStuck = (t: TerminalBrief): boolean => t.online && (t.printer?.state === 'stopped' || t.printer?.state === 'lost')

/** A printer that will want something soon, as its own levels say. */
export const printerNeeds = (t: TerminalBrief): boolean => t.online && (t.printer?.troubles.length ?? 0) > 0

/** What keeps a terminal from serving, most pressing first; 0 when nothing has to be done. */
export function urgency(t: TerminalBrief): number {
  if (t.state === 'quarantined') return 4
  if (t.state === 'out') return t.reason === 'revoked' ? 0 : 3 // who took it away knows
  if (t.state === 'offline') return 2
  if (t.state !== 'waiting' && t.state !== 'asleep' && (broken(t) || printerStuck(t) || printerNeeds(t) || t.power?.trouble)) return 1
  return 0
}

/** Terminals that need somebody, most pressing first, the longest waiting first among equals. */
export function todo(fleet: Fleet): Found[] {
  return terminals(fleet)
    .filter((f) => urgency(f.terminal) > 0)
    .sort((a, b) => urgency(b.terminal) - urgency(a.terminal) || (a.terminal.since ?? '').localeCompare(b.terminal.since ?? '') || a.terminal.name.localeCompare(b.terminal.name))
}

/** Commands that make sense now, of those that the person may send, the gentlest first. */
export function sensible(t: TerminalBrief, may: readonly string[]): CommandKind[] {
  const order: CommandKind[] = ['lift', 'back', 'message', 'identify', 'awake', 'end', 'wipe', 'quarantine', 'out']
  const fits: Partial<Record<CommandKind, boolean>> = {
    lift: t.state === 'quarantined',
    back: t.state === 'out',
    end: t.state === 'in-use',
    awake: t.state !== 'asleep' && t.state !== 'offline',
    quarantine: t.state !== 'quarantined',
    out: t.state !== 'out',
  }
  return t.state === 'waiting' ? [] : order.filter((k) => may.includes(k) && (fits[k] ?? true))
}

const plain = (s: string) => s.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

/** Sites that match what was typed, by site, commune, space or terminal; accents and case do not count. */
export function search(fleet: Fleet, text: string): SiteView[] {
  const want = plain(text.trim())
  if (!want) return fleet.sites
  return fleet.sites.flatMap((s) => {
    if (plain(`${s.name} ${s.commune}`).includes(want)) return [s]
    const spaces = s.spaces.flatMap((p) => {
      if (plain(p.name).includes(want)) return [p]
      const hit = p.terminals.filter((t) => plain(t.name).includes(want))
      return hit.length ? [{ ...p, terminals: hit }] : []
    })
    return spaces.length ? [{ ...s, spaces }] : []
  })
}

/** Whether a terminal could name its board or PC model; it says "unknown" otherwise. */
export const recognised = (machine: string): boolean => machine !== 'unknown'
