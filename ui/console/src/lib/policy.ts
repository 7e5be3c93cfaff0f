import type { DifferenceView, LevelView, QuotaGroup } from '../api/types.ts'
import type { Key } from '../../../shared/i18n/keys.ts'
import { languageName } from '../../../shared/languages.ts'
import { to } from './route.svelte.ts'
import { category, t } from './words.svelte.ts'

/** Whose rules they are: all is the Département. */
export type Level = 'all' | 'groups' | 'sites' | 'spaces' | 'terminals'

/** A value as the form calls it, with its unit, or the sentences of its choices. */
interface Named {
  label: Key
  unit?: Key
  of?: Record<string, Key>
}

const min = 'console.unit.min'
const s = 'console.unit.s'

const names: Record<string, Named> = {
  profile: { label: 'console.section.profile' },
  languages: { label: 'console.policy.label.languages' },
  'session.minutes': { label: 'console.session.minutes', unit: min },
  'session.extendMinutes': { label: 'console.session.extend', unit: min },
  'session.maxMinutes': { label: 'console.session.max', unit: min },
  'session.minMinutes': { label: 'console.session.min', unit: min },
  'session.warnMinutes': { label: 'console.session.warn' },
  'session.idleSeconds': { label: 'console.session.idle', unit: s },
  'session.graceSeconds': { label: 'console.session.grace', unit: s },
  'session.uploadSeconds': { label: 'console.policy.label.upload', unit: s },
  'session.thanksSeconds': { label: 'console.policy.label.thanks', unit: s },
  'access.badgeRequired': { label: 'console.access.required' },
  'access.anyBadge': { label: 'console.access.any' },
  'access.knownBadges': { label: 'console.access.known' },
  'access.trustOffline': { label: 'console.access.offline' },
  'access.dayCodes': { label: 'console.access.codes' },
  'access.proof': { label: 'console.access.proof', of: { '': 'console.access.proof.none', message: 'console.access.proof.message', keys: 'console.access.proof.keys' } },
  'web.allowed': { label: 'console.web.allowed' },
  'web.blocked': { label: 'console.web.blocked' },
  'web.downloads': { label: 'console.web.downloads' },
  'web.uploads': { label: 'console.web.uploads' },
  'web.popups': { label: 'console.web.popups' },
  'web.camera': { label: 'console.web.camera' },
  'web.thirdPartyCookies': { label: 'console.web.third' },
  'portal.title': { label: 'console.portal.title' },
  'portal.tiles': { label: 'console.policy.label.tiles' },
  'printing.enabled': { label: 'console.printing.enabled' },
  'printing.colour': { label: 'console.printing.colour' },
  'printing.colourCost': { label: 'console.printing.colourCost', unit: 'console.printing.percent' },
  'printing.duplex': { label: 'console.printing.duplex', of: { always: 'console.printing.duplex.always', '': 'console.printing.duplex.free', never: 'console.printing.duplex.never' } },
  'printing.duplexCost': { label: 'console.printing.duplexCost', unit: 'console.printing.percent' },
  'printing.copies': { label: 'console.printing.copies' },
  'printing.hold': { label: 'console.printing.hold', of: { always: 'console.printing.hold.always', colour: 'console.printing.hold.colour', '': 'console.printing.hold.never', over: 'console.printing.hold.over' } },
  'printing.holdOver': { label: 'console.printing.holdOver' },
  'printing.silent': { label: 'console.printing.silent', of: { '': 'console.printing.silent.charge', free: 'console.printing.silent.free', staff: 'console.printing.silent.staff' } },
  'printing.staff': { label: 'console.printing.badges' },
  'printer.uri': { label: 'console.device.uri' },
  'printer.name': { label: 'console.device.name' },
  'printer.key': { label: 'console.device.key' },
  'team.badges': { label: 'console.team.badges' },
  'team.pinMay': { label: 'console.team.pin' },
  'team.directoryMay': { label: 'console.team.directory' },
  'team.contact.name': { label: 'console.team.contact.name' },
  'team.contact.phone': { label: 'console.team.contact.phone' },
  'printing.offlinePages': { label: 'console.printing.offline' },
  'printing.finishSeconds': { label: 'console.printing.finish', unit: s },
  'printing.periods': { label: 'console.printing.periods' },
  'printing.groups': { label: 'console.printing.groups' },
  'printing.pagesPerSession': { label: 'console.printing.session' },
  'printing.pagesPerJob': { label: 'console.printing.job' },
  'printing.pagesPerDay': { label: 'console.printing.day' },
  'printing.pagesPerMonth': { label: 'console.printing.month' },
  'printing.pagesPerHour': { label: 'console.printing.hour' },
  'notice.responsible': { label: 'console.notice.responsible' },
  'notice.dpo': { label: 'console.notice.dpo' },
  'notice.charter': { label: 'console.notice.charter' },
  'help.permanences': { label: 'console.places.permanences' },
  'help.near': { label: 'console.places.near' },
  'permits.prefetch': { label: 'console.policy.label.prefetch' },
  'permits.validHours': { label: 'console.policy.label.valid', unit: 'console.unit.h' },
  'permits.receiptWithin': { label: 'console.policy.label.receipt', unit: min },
  'isolation.requireFull': { label: 'console.isolation.require' },
  'isolation.memoryMb': { label: 'console.isolation.memory', unit: 'console.unit.mib' },
  'isolation.tmpfsMb': { label: 'console.isolation.tmpfs', unit: 'console.unit.mib' },
  'isolation.maxProcs': { label: 'console.policy.label.procs' },
  'keyboard.layout': { label: 'console.policy.label.layout' },
  'keyboard.variant': { label: 'console.policy.label.variant' },
  'keyboard.numLock': { label: 'console.policy.label.numlock' },
  'network.resolver': { label: 'console.network.resolver' },
  'network.private': { label: 'console.network.private' },
  'network.proxy': { label: 'console.network.proxy' },
  'network.pac': { label: 'console.network.pac' },
  'network.proxies': { label: 'console.network.proxies' },
  'network.ca': { label: 'console.network.ca' },
  'network.reasons': { label: 'console.network.why' },
  'network.line.proxy': { label: 'console.line.proxy' },
  'network.line.wired.managed': { label: 'console.line.wired.managed' },
  'network.line.wired.ipv4.address': { label: 'console.line.wired.ipv4.address' },
  'network.line.wired.ipv4.gateway': { label: 'console.line.wired.ipv4.gateway' },
  'network.line.wired.ipv4.dns': { label: 'console.line.wired.ipv4.dns' },
  'network.line.wired.eap.method': { label: 'console.line.wired.eap.method', of: { '': 'console.line.eap.none', peap: 'console.line.eap.peap', ttls: 'console.line.eap.ttls', tls: 'console.line.eap.tls' } },
  'network.line.wired.eap.identity': { label: 'console.line.wired.eap.identity' },
  'network.line.wired.eap.anonymous': { label: 'console.line.wired.eap.anonymous' },
  'network.line.wired.eap.ca': { label: 'console.line.wired.eap.ca' },
  'network.line.wired.eap.server': { label: 'console.line.wired.eap.server' },
  'network.line.wired.eap.secret': { label: 'console.line.wired.eap.secret' },
  'network.line.wifi.ssid': { label: 'console.line.wifi.ssid' },
  'network.line.wifi.hidden': { label: 'console.line.wifi.hidden' },
  'network.line.wifi.security': { label: 'console.line.wifi.security', of: { '': 'console.line.security.open', psk: 'console.line.security.psk', sae: 'console.line.security.sae', eap: 'console.line.security.eap' } },
  'network.line.wifi.secret': { label: 'console.line.wifi.secret' },
  'network.line.wifi.ipv4.address': { label: 'console.line.wifi.ipv4.address' },
  'network.line.wifi.ipv4.gateway': { label: 'console.line.wifi.ipv4.gateway' },
  'network.line.wifi.ipv4.dns': { label: 'console.line.wifi.ipv4.dns' },
  'network.line.wifi.eap.method': { label: 'console.line.wifi.eap.method', of: { '': 'console.line.eap.none', peap: 'console.line.eap.peap', ttls: 'console.line.eap.ttls', tls: 'console.line.eap.tls' } },
  'network.line.wifi.eap.identity': { label: 'console.line.wifi.eap.identity' },
  'network.line.wifi.eap.anonymous': { label: 'console.line.wifi.eap.anonymous' },
  'network.line.wifi.eap.ca': { label: 'console.line.wifi.eap.ca' },
  'network.line.wifi.eap.server': { label: 'console.line.wifi.eap.server' },
  'network.line.wifi.eap.secret': { label: 'console.line.wifi.eap.secret' },
  'filter.categories': { label: 'console.policy.label.categories' },
  'filter.allow': { label: 'console.filter.allow' },
  'filter.block': { label: 'console.filter.block' },
  'energy.dimMinutes': { label: 'console.rules.energy.dimAfter', unit: min },
  'energy.darkMinutes': { label: 'console.rules.energy.darkAfter', unit: min },
  'energy.night': { label: 'console.rules.energy.night', of: { lit: 'console.rules.energy.lit', dark: 'console.rules.energy.dark', low: 'console.rules.energy.low', halt: 'console.rules.energy.halt' } },
  'energy.nightMinutes': { label: 'console.rules.energy.nightAfter', unit: min },
  'energy.wakeMinutes': { label: 'console.rules.energy.wake', unit: min },
}

const sections: Record<string, Key> = {
  profile: 'console.section.profile',
  languages: 'console.section.languages',
  session: 'console.section.session',
  hours: 'console.section.hours',
  access: 'console.section.access',
  web: 'console.section.web',
  notice: 'console.section.notice',
  help: 'console.section.help',
  portal: 'console.section.portal',
  printing: 'console.section.printing',
  printer: 'console.section.printer',
  team: 'console.section.team',
  permits: 'console.section.permits',
  isolation: 'console.section.isolation',
  keyboard: 'console.section.keyboard',
  network: 'console.section.network',
  filter: 'console.section.filter',
  energy: 'console.section.energy',
}

/** A section's title; its own name when this page is older than it. */
export const sectionName = (name: string): string => (sections[name] ? t(sections[name]) : name)

/** The label of a value; its path when this page is older than it. */
export const labelOf = (path: string): string => (names[path] ? t(names[path].label) : path)

/** A value in words. */
export function say(path: string, value: unknown): string {
  const n = names[path]
  if (n?.of) {
    const key = n.of[typeof value === 'string' ? value : '']
    if (key) return t(key)
  }
  if (typeof value === 'boolean') return t(value ? 'console.policy.value.yes' : 'console.policy.value.no')
  if (typeof value === 'number') return n?.unit ? `${value} ${t(n.unit)}` : String(value)
  if (value === null || value === undefined || value === '') return t('console.policy.value.none')
  if (Array.isArray(value)) return value.length ? value.map((v) => item(path, v)).join(', ') : t('console.policy.value.none')
  return typeof value === 'string' ? brief(value) : brief(JSON.stringify(value))
}

/** What a list holds, in one word. */
function item(path: string, v: unknown): string {
  if (v && typeof v === 'object') {
    const o = v as { name?: string; why?: string; of?: string; from?: string; to?: string }
    if (path === 'filter.categories') return category(o.name ?? '')
    if (path === 'printing.groups') return groupIn(v as QuotaGroup)
    return brief(o.name || o.why || o.of || JSON.stringify(v))
  }
  if (path === 'languages') return languageName(String(v))
  return brief(String(v))
}

/** A group is told with its pages: with its name alone, a change of them would say nothing. */
const groupIn = (g: QuotaGroup): string => t('console.printing.groups.said', { name: g.name, session: g.pagesPerSession, day: g.pagesPerDay, month: g.pagesPerMonth })

/** A certificate or a PAC file is not to be read here. */
const brief = (text: string): string => (text.length > 80 ? text.slice(0, 77) + '…' : text)

/** A list of words is told by what came and what went; numbers are told whole. */
export interface Said {
  label: string
  before: string
  after: string
  added: string[]
  removed: string[]
  /** The same things in another order. */
  order: boolean
}

export function sayDifference(d: Pick<DifferenceView, 'path' | 'before' | 'after'>): Said {
  const said = { label: labelOf(d.path), before: '', after: '', added: [] as string[], removed: [] as string[], order: false }
  const was = d.before ?? []
  const is = d.after ?? []
  if (!Array.isArray(was) || !Array.isArray(is) || [...was, ...is].some((v) => typeof v === 'number')) return { ...said, before: say(d.path, d.before), after: say(d.path, d.after) }
  const missing = (all: unknown[], of: unknown[]) => {
    const there = new Set(of.map((v) => JSON.stringify(v)))
    return all.filter((v) => !there.has(JSON.stringify(v))).map((v) => item(d.path, v))
  }
  const added = missing(is, was)
  const removed = missing(was, is)
  return { ...said, added, removed, order: added.length + removed.length === 0 }
}

/** The levels that a section's values come from, by path; "" is what Borne begins with. */
export function originsOf(origin: Record<string, string>, section: string): Map<string, string[]> {
  const by = new Map<string, string[]>()
  for (const path of Object.keys(origin).sort()) {
    if (path !== section && !path.startsWith(section + '.')) continue
    const from = origin[path] ?? ''
    by.set(from, [...(by.get(from) ?? []), path])
  }
  return by
}

/** Where a level's rules are changed, in the console. */
export function levelHref(levels: LevelView[], level: string): string {
  const found = findLevel(levels, level)
  const site = levels.find((l) => l.level === 'site')
  if (!found) return ''
  if (level === 'site') return to.site(found.id, 'rules')
  if (level === 'space') return site ? to.site(site.id, found.id) : ''
  if (level === 'terminal') return to.rules(found.id)
  return level === 'global' ? to.rules() : to.group(found.id)
}

/** A site may be in several groups: theirs is told as group:ID. */
const findLevel = (levels: LevelView[], level: string): LevelView | undefined => levels.find((l) => (l.level === 'group' ? `group:${l.id}` : l.level) === level)

/** « du Département », « du lieu « Collège » », … */
export function levelName(levels: LevelView[], level: string): string {
  const name = findLevel(levels, level)?.name ?? ''
  if (level.startsWith('group:')) return t('console.policy.origin.group', { name })
  switch (level) {
    case 'global':
      return t('console.policy.origin.global')
    case 'site':
      return t('console.policy.origin.site', { name })
    case 'space':
      return t('console.policy.origin.space', { name })
    case 'terminal':
      return t('console.policy.origin.terminal')
  }
  return t('console.policy.origin.base')
}
