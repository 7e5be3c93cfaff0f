// One canned view for each screen of the terminal.
const base = {
  lang: 'fr',
  languages: ['fr', 'fr-x-facile', 'en'],
  place: { site: 'Collège Samivel', space: 'Hall d’accueil', terminal: 'Poste 2', help: 'Loge du gardien, 04 50 00 12 34' },
  badge: 'offered',
}
const bar = { leftSeconds: 32 * 60, totalSeconds: 45 * 60, pagesLeft: 8, ending: false }
const day = (n, h, m) => {
  const d = new Date(Date.now() + n * 86_400_000)
  return `${d.toISOString().slice(0, 10)}T${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}:00+01:00`
}
const checks = [
  { name: 'processes', before: 23, result: 'clean' },
  { name: 'mounts', before: 6, result: 'clean' },
  { name: 'uid-files', before: 412, result: 'clean' },
  { name: 'fresh-files', before: 38, result: 'clean' },
  { name: 'ipc', before: 2, result: 'clean' },
  { name: 'netns', before: 1, result: 'clean' },
  { name: 'canary-file', before: 3, result: 'clean' },
  { name: 'canary-env', before: 2, result: 'clean' },
  { name: 'canary-web', before: 4, result: 'clean' },
  { name: 'canary-clipboard', before: 0, result: 'not-planted' },
]
const thanks = { ...base, screen: 'thanks', reason: 'button', wipe: { full: true, millis: 1240, receipt: '1-0047', checks, reason: 'button' } }

export const views = {
  starting: { ...base, screen: 'starting' },
  welcome: { ...base, screen: 'welcome' },
  'welcome-button': { ...base, screen: 'welcome', badge: 'none', sim: true, offline: true },
  'welcome-required': { ...base, screen: 'welcome', badge: 'required', notice: 'unknown-badge' },
  'welcome-en': { ...base, screen: 'welcome', lang: 'en' },
  charter: { ...base, screen: 'charter', charter: { minutes: 45, pages: 10 } },
  'charter-badge': { ...base, screen: 'charter', charter: { minutes: 45, pages: 10, badge: true } },
  'charter-simple': { ...base, screen: 'charter', lang: 'fr-x-facile', charter: { minutes: 45, pages: 10 } },
  opening: { ...base, screen: 'opening' },
  session: { ...base, screen: 'session', bar, sim: true },
  'session-en': { ...base, screen: 'session', lang: 'en', bar },
  'session-soon': { ...base, screen: 'session', bar: { ...bar, leftSeconds: 50, pagesLeft: -1 } },
  'session-ending': { ...base, screen: 'session', bar: { ...bar, ending: true } },
  'warning-idle': { ...base, screen: 'warning', bar, warning: { kind: 'idle', leftSeconds: 47, ofSeconds: 60 } },
  'warning-time': { ...base, screen: 'warning', bar, warning: { kind: 'time', leftSeconds: 300, ofSeconds: 300, minutes: 5 } },
  'warning-closing': { ...base, screen: 'warning', bar, warning: { kind: 'closing', leftSeconds: 600, ofSeconds: 600, minutes: 10 } },
  'warning-extended': { ...base, screen: 'warning', bar, warning: { kind: 'extended', leftSeconds: 0, ofSeconds: 0, minutes: 15 } },
  'warning-message': { ...base, screen: 'warning', bar, message: 'La photocopieuse du hall est réparée : vos impressions sortent dans la salle 12.', warning: { kind: 'message', leftSeconds: 0, ofSeconds: 0 } },
  wiping: { ...base, screen: 'wiping' },
  thanks,
  'thanks-idle': { ...thanks, reason: 'idle', wipe: { ...thanks.wipe, full: false, reason: 'idle' } },
  closed: { ...base, screen: 'closed', opening: { at: day(1, 8, 30) } },
  'closed-why': { ...base, screen: 'closed', opening: { at: day(9, 8, 0), why: 'Vacances de la Toussaint' } },
  quarantined: { ...base, screen: 'quarantined', reason: 'receipt-missing' },
  broken: { ...base, screen: 'broken', reason: 'no-browser' },
  'broken-isolation': { ...base, screen: 'broken', reason: 'isolation', missing: ['memory-limit', 'browser-seccomp', 'no-disk-swap'] },
  updating: { ...base, screen: 'updating' },
  'welcome-message': { ...base, screen: 'welcome', message: 'Le hall ferme à 17 h aujourd’hui.' },
  maintenance: { ...base, screen: 'maintenance', reason: 'staff', place: { ...base.place, help: '' } },
  identify: { ...base, screen: 'welcome', identify: 'Poste 2 — Hall' },
}
