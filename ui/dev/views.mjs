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
const thanks = { ...base, screen: 'thanks', reason: 'button', wipe: { full: true, millis: 1240, receipt: '1-0047', checks, reason: 'button', smile: 'ask' } }

// One print job in each of its states: 12 pages, as a browser would ask for them.
const job = { stage: 'question', job: 'a1', preview: true, pages: 12, impressions: 12, sheets: 6, copies: 1, duplex: true, maxCopies: 5, canDuplex: true, canColour: true, cost: 1200, left: 2000, leftScope: 'day' }
const print = (more = {}, view = {}) => ({ ...base, screen: 'print', bar, print: { ...job, ...more }, ...view })
const printing = (more, view = {}) => ({ ...base, screen: 'session', bar: { ...bar, print: more }, ...view })
const simple = { lang: 'fr-x-facile' }
const questions = {
  'print-question': print(),
  'print-question-plain': print({ preview: false, duplex: false, sheets: 12, canDuplex: false, canColour: false, maxCopies: 1, left: -1, leftScope: '' }),
  'print-question-one': print({ pages: 1, impressions: 1, sheets: 1, duplex: false, cost: 100, left: 100 }),
  'print-question-must': print({ canDuplex: false, mustDuplex: true, canColour: false, copies: 2, impressions: 24, sheets: 12, cost: 2400, left: 10000, leftScope: 'month', leftSeconds: 24 }),
  'print-colour': print({ colour: true, cost: 1800, duplex: false, sheets: 12, left: 2000, leftScope: 'session' }),
  'print-cheap': print({ cost: 600 }),
  'print-range': print({ range: '1-3,5', impressions: 4, sheets: 2, cost: 400 }),
  'print-much': print({ reason: 'print-quota', left: 800 }),
  'print-much-copies': print({ reason: 'print-quota', left: 2000, copies: 2, impressions: 24, sheets: 12, cost: 2400 }),
  'print-much-colour': print({ reason: 'print-quota', left: 2000, colour: true, cost: 3600 }),
  'print-much-job': print({ reason: 'print-job-pages', maxPages: 5, left: 2000 }),
  'print-much-hour': print({ reason: 'print-quota-hour', left: 300, leftScope: 'hour' }),
  'print-much-offline': print({ reason: 'print-offline', left: 500, leftScope: 'offline' }),
  'print-none': print({ reason: 'print-quota', left: 0, preview: false }),
  'print-none-hour': print({ reason: 'print-quota-hour', left: 0, leftScope: 'hour' }),
  'print-held': print({ stage: 'held' }),
  'print-held-staff': print({ stage: 'held', staff: 'Accueil du CDI', preview: false }),
  'print-refused': print({ stage: 'refused', reason: 'encrypted', preview: false }),
  'print-refused-unreadable': print({ stage: 'refused', reason: 'unreadable', preview: false }),
  'print-refused-staff': print({ stage: 'refused', reason: 'print-refused', preview: false }),
  'print-work': print({ stage: 'work', page: 3, impressions: 12, preview: false }),
  'print-trouble': print({ stage: 'trouble', reasons: ['media-empty-error', 'media-needed'], preview: false }),
  'print-trouble-jam': print({ stage: 'trouble', reasons: ['media-jam-error'], preview: false }),
  'print-trouble-offline': print({ stage: 'trouble', reasons: ['offline'], preview: false }),
  'print-trouble-new': print({ stage: 'trouble', reasons: ['hologram-overflow-error'], preview: false }),
  'print-given': print({ stage: 'given', given: 3, reason: 'print-printer', left: 1100, preview: false }),
  'print-doubtful': print({ stage: 'doubtful', reason: 'print-lost', preview: false }),
}
const everyPrint = Object.fromEntries(
  Object.entries(questions).flatMap(([name, v]) => [
    [name, v],
    [`${name}-en`, { ...v, lang: 'en' }],
    [`${name}-simple`, { ...v, ...simple }],
  ]),
)

export const views = {
  ...everyPrint,
  'print-bar-queued': printing({ stage: 'queued' }),
  'print-bar-sending': printing({ stage: 'sending' }),
  'print-bar-printing': printing({ stage: 'printing', page: 3, of: 12 }),
  'print-bar-printing-en': printing({ stage: 'printing', page: 3, of: 12 }, { lang: 'en' }),
  'print-bar-held': printing({ stage: 'held', show: true }),
  'print-bar-stopped': printing({ stage: 'stopped', reasons: ['media-empty-error'], show: true }),
  'print-bar-stopped-en': printing({ stage: 'stopped', reasons: ['media-jam-error'], show: true }, { lang: 'en' }),
  'print-bar-done': printing({ stage: 'done' }),
  'print-bar-given': printing({ stage: 'given', given: 3 }),
  'print-bar-printer': printing({ stage: 'printer', reasons: ['toner-empty-error'] }, { sim: true }),
  'print-bar-waste': printing({ stage: 'printer', reasons: ['marker-waste-full-error'] }, { sim: true, offline: true }),
  starting: { ...base, screen: 'starting' },
  welcome: { ...base, screen: 'welcome' },
  'welcome-button': { ...base, screen: 'welcome', badge: 'none', sim: true, offline: true },
  'welcome-required': { ...base, screen: 'welcome', badge: 'required', notice: 'unknown-badge' },
  'welcome-codes': { ...base, screen: 'welcome', badge: 'required', codes: true },
  'welcome-codes-or-badge': { ...base, screen: 'welcome', badge: 'offered', codes: true },
  'welcome-code-only': { ...base, screen: 'welcome', badge: 'code', codes: true, notice: 'code-used' },
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
  'welcome-help': { ...base, screen: 'welcome', help: { state: 'asked' } },
  'welcome-help-coming': { ...base, screen: 'welcome', help: { state: 'coming' } },
  'welcome-help-late': { ...base, screen: 'welcome', codes: true, help: { state: 'late', phone: '04 50 00 12 34' } },
  'broken-help-offline': { ...base, screen: 'broken', reason: 'no-browser', help: { state: 'offline' } },
  'session-help': { ...base, screen: 'session', bar, help: { state: 'asked' } },
  'session-help-coming': { ...base, screen: 'session', bar, sim: true, help: { state: 'coming' } },
  'session-help-late': { ...base, screen: 'session', lang: 'fr-x-facile', bar, help: { state: 'late', phone: '04 50 00 12 34' } },
  'session-help-offline-en': { ...base, screen: 'session', lang: 'en', bar, offline: true, help: { state: 'offline', phone: '04 50 00 12 34' } },
  'print-question-help': print({}, { help: { state: 'late', phone: '04 50 00 12 34' } }),
  'print-trouble-help': print({ stage: 'trouble', reasons: ['media-empty-error'], preview: false }, { help: { state: 'coming' } }),
  'warning-idle-help': { ...base, screen: 'warning', bar, warning: { kind: 'idle', leftSeconds: 47, ofSeconds: 60 }, help: { state: 'asked' } },
  'broken-near': { ...base, screen: 'broken', reason: 'no-browser', near: { near: [{ name: 'France services d’Annecy – Les Romains', kind: 'adviser', address: '28 avenue du Stade, 74000 Annecy', phone: '04 50 00 00 01', metres: 1240, today: [{ from: 540, to: 720 }] }] } },
  'print-bar-help': printing({ stage: 'stopped', reasons: ['media-empty-error'], show: true }, { help: { state: 'asked' } }),
  'print-bar-help-late': printing({ stage: 'held', show: true }, { help: { state: 'late', phone: '04 50 00 12 34' } }),
  'print-bar-help-coming': printing({ stage: 'printing', page: 3, of: 12 }, { help: { state: 'coming' } }),
  wiping: { ...base, screen: 'wiping' },
  thanks,
  'thanks-smiled': { ...thanks, wipe: { ...thanks.wipe, smile: 'done' } },
  'thanks-idle': { ...thanks, reason: 'idle', wipe: { ...thanks.wipe, full: false, reason: 'idle', smile: undefined } },
  'welcome-dim': { ...base, screen: 'welcome', dim: true },
  'closed-dim': { ...base, screen: 'closed', dim: true, opening: { at: day(1, 8, 30) } },
  staff: { ...base, screen: 'staff', staff: { offers: ['close', 'stay', 'time', 'print', 'restart', 'call'], open: true, until: day(0, 18, 0), stayTo: day(0, 19, 0), held: 1, session: true, minutes: 12, give: 15, grace: 60, leftSeconds: 26 } },
  'staff-free': { ...base, screen: 'staff', staff: { offers: ['close', 'stay', 'restart', 'call'], open: true, until: day(0, 18, 0), stayTo: day(0, 19, 0), give: 15, grace: 60, leftSeconds: 22 } },
  'staff-shut': { ...base, ...simple, screen: 'staff', staff: { offers: ['reopen', 'restart', 'call'], shut: true, give: 15, grace: 60, leftSeconds: 11 } },
  'staff-call': { ...base, screen: 'staff', staff: { offers: ['close', 'stay', 'time', 'print', 'restart', 'call'], open: true, until: day(0, 18, 0), stayTo: day(0, 19, 0), held: 2, session: true, minutes: 12, give: 15, grace: 60, call: { name: 'Assistance informatique des collèges', phone: '04 50 33 50 00', told: true }, leftSeconds: 30 } },
  'staff-en': { ...base, lang: 'en', screen: 'staff', staff: { offers: ['close', 'stay', 'time', 'print', 'restart', 'call'], open: true, until: day(0, 18, 0), stayTo: day(0, 19, 0), held: 3, session: true, minutes: 1, give: 15, grace: 60, call: {}, leftSeconds: 28 } },
  'staff-pin': { ...base, screen: 'staff', staff: { pin: {}, offers: null, give: 0, grace: 0, leftSeconds: 30 } },
  'staff-pin-wait': { ...base, screen: 'staff', staff: { pin: { wrong: true, waitSeconds: 57 }, offers: null, give: 0, grace: 0, leftSeconds: 28 } },
  'session-team': { ...base, screen: 'session', bar, team: true },
  'welcome-team': { ...base, screen: 'welcome', team: true },
  restart: { ...base, screen: 'warning', bar: { leftSeconds: 60, totalSeconds: 2700, pagesLeft: 8, ending: false }, warning: { kind: 'restart', leftSeconds: 0, ofSeconds: 0, minutes: 1 } },
  'closed-shut': { ...base, screen: 'closed', reason: 'shut', opening: { at: day(1, 8, 30) } },
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

// The screens that everybody meets, in each of the other languages: does every sentence fit?
const others = ['ar', 'pt', 'es', 'tr', 'sq', 'ro', 'uk', 'it', 'de']
const met = ['welcome-codes-or-badge', 'charter-badge', 'session', 'session-help-coming', 'warning-idle', 'warning-time', 'print-question', 'print-much', 'print-work', 'print-bar-printing', 'thanks', 'closed', 'broken']
for (const lang of others) for (const name of met) views[`${name}-${lang}`] = { ...views[name], lang, languages: ['fr', 'fr-x-facile', 'en', ...others] }
