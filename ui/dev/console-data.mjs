// A small believable fleet of Haute-Savoie, as the API answers, for pictures.
import { badgesOf } from './badges-data.mjs'
import { indicators } from './indicators-data.mjs'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hoursOf } from './hours-data.mjs'
import { rulesWith } from './rules-data.mjs'

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString()
const ahead = (minutes) => ago(-minutes)
const wire = readFileSync(fileURLToPath(new URL('../../controller/wire/receipt.go', import.meta.url)), 'utf8')
const names = (prefix) => [...wire.matchAll(new RegExp(`^\\s${prefix}\\w+\\s+= "([a-z-]+)"`, 'gm'))].map((m) => m[1])
const props = names('Prop')
const checks = names('Check')

const devices = [
  { name: 'reader', device: 'mfrc522:/dev/spidev0.0?rst=GPIO25', health: 'ready' },
  { name: 'case', device: 'case:gpio', health: 'ready' },
  { name: 'printer', device: 'ipp://203.0.113.20/ipp/print', health: 'ready' },
]
function terminal(id, name, site, space, state, more = {}) {
  return { id, name, site, space, state, since: ago(42), level: 'full', missing: [], online: !['offline', 'waiting'].includes(state), lastSeen: ago(1), devices: state === 'waiting' ? [] : devices, sim: false, waiting: 0, matters: 0, printer: state === 'waiting' ? undefined : { state: 'ready', troubles: [] }, ...more }
}
const site = (id, name, kind, commune, spaces) => ({ id, name, kind, commune, territoire: 'Arve et Faucigny', spaces })
const space = (id, name, open, terminals) => ({ id, name, open, until: open ? ahead(190) : ahead(900), terminals })

const fleet = {
  sites: [
    site('samivel', 'Collège Samivel', 'college', 'Bonneville', [
      space('hall', 'Hall d’accueil', true, [
        terminal('t1', 'Poste 1', 'samivel', 'hall', 'free', { printer: { state: 'stopped', troubles: ['printer-paper'] } }),
        terminal('t2', 'Poste 2', 'samivel', 'hall', 'in-use', { session: 's-9', leftSeconds: 1931, since: ago(13), waiting: 1, matters: 1 }),
      ]),
      space('cdi', 'CDI', true, [terminal('t3', 'Poste CDI', 'samivel', 'cdi', 'quarantined', { reason: 'receipt-missing', since: ago(74) })]),
    ]),
    site('pms-annecy', 'Pôle médico-social d’Annecy', 'pms', 'Annecy', [
      space('attente', 'Salle d’attente', true, [
        terminal('t4', 'Poste 1', 'pms-annecy', 'attente', 'in-use', { leftSeconds: 260, since: ago(40), waiting: 1 }),
        terminal('t5', 'Poste 2', 'pms-annecy', 'attente', 'out', { reason: 'no-browser', since: ago(310) }),
        terminal('t6', 'Poste 3', 'pms-annecy', 'attente', 'free', { level: 'reduced', missing: ['memory-limit', 'no-disk-swap'] }),
      ]),
    ]),
    site('mie', 'Maison de l’insertion et de l’emploi', 'mie', 'Annemasse', [
      space('multimedia', 'Espace multimédia', false, [
        terminal('t7', 'Poste A', 'mie', 'multimedia', 'closed', { reason: 'closed' }),
        terminal('t8', 'Poste B', 'mie', 'multimedia', 'offline', { since: ago(2900), lastSeen: ago(2900) }),
        terminal('t9', 'Poste C', 'mie', 'multimedia', 'closed', { reason: 'closed', devices: [{ ...devices[0], health: 'faulted', error: 'cannot read the version register' }, ...devices.slice(1)] }),
      ]),
    ]),
    site('cluses', 'Collège Geneviève-Anthonioz', 'college', 'Cluses', [space('cluses-hall', 'Hall', true, [terminal('t10', 'Poste Parents', 'cluses', 'cluses-hall', 'waiting')])]),
  ],
}

/** The same fleet while two people ask for help. */
const called = structuredClone(fleet)
called.sites[0].spaces[0].terminals[1].help = { id: '00112233445566ff', since: ago(1), coming: false, times: 2 }
called.sites[1].spaces[0].terminals[0].help = { id: '00112233445566fe', since: ago(4), coming: true, by: 'Louis Favre', times: 1 }

const digest = (n) => Buffer.from(Array.from({ length: 32 }, (_, i) => (n * 31 + i * 7) & 255)).toString('base64')
const receipt = (n) => ({ id: `r${n}`, kind: n === 40 ? 'challenge' : 'session', session: `s-${n}`, at: ago((48 - n) * 55), verdict: n === 41 ? 'rejected' : 'accepted', reason: n === 41 ? 'receipt-stale' : undefined, level: 'full', segment: n > 40 ? 2 : 1, index: n > 40 ? n - 40 : n, wipeMs: 1180 + n * 7, attempt: 1, sim: false })
const receipts = [47, 46, 45, 44, 43, 42, 41, 40].map(receipt)
const sessions = [47, 46, 45, 44, 43, 42].map((n, i) => ({ id: `s-${n}`, started: ago((48 - n) * 55 + 30), ended: i === 0 ? undefined : ago((48 - n) * 55), reason: i === 0 ? undefined : ['button', 'idle', 'time', 'arrived', 'closing'][i - 1], profile: 'parents', lang: 'fr', seconds: 60 * (41 - i * 5), active: 60 * (30 - i * 3), pages: i % 3, unsure: false, wipes: 1, wipeMs: 1240, receipt: i === 0 || i === 3 ? undefined : `r${n}` }))
const commands = [
  { id: 'c3', kind: 'identify', by: 'Camille Perrollaz', issued: ago(8), state: 'done', done: ago(8) },
  { id: 'c2', kind: 'message', text: 'Le collège ferme à 17 h aujourd’hui.', by: 'Camille Perrollaz', issued: ago(190), state: 'expired' },
  { id: 'c1', kind: 'lift', by: '', issued: ago(400), state: 'refused', answer: 'le poste est occupé' },
]
const day = (a, b, c, d) => [{ from: a, to: b }, ...(c ? [{ from: c, to: d }] : [])]
const policy = {
  version: 12,
  profile: 'parents',
  languages: ['fr', 'fr-x-facile', 'en'],
  session: { minutes: 45, extendMinutes: 15, maxMinutes: 120, minMinutes: 5, warnMinutes: [10, 5, 1], idleSeconds: 180, graceSeconds: 60, uploadSeconds: 10, thanksSeconds: 20 },
  hours: { always: false, weekly: [[], day(480, 720, 810, 1050), day(480, 720, 810, 1050), day(480, 720), day(480, 720, 810, 1140), day(480, 720, 810, 1020), []], exceptions: [{ day: '2026-12-21', spans: [], why: 'Vacances de Noël' }] },
  access: { badgeRequired: false, anyBadge: true },
  web: { allowed: [], blocked: ['example.org'], downloads: true, uploads: true, popups: true, camera: false, thirdPartyCookies: true },
  portal: { title: 'Vos démarches en ligne', tiles: [{ name: 'CAF', url: 'https://www.caf.fr/', hint: 'Allocations, logement, garde d’enfants', icon: 'family' }, { name: 'France Travail', url: 'https://www.francetravail.fr/', hint: 'Emploi, inscription, indemnisation', icon: 'work' }, { name: 'Haute-Savoie', url: 'https://www.hautesavoie.fr/', hint: 'Aides et services du Département', icon: 'place' }] },
  printer: { uri: 'ipps://10.42.7.20/ipp/print', name: 'Imprimante du hall', key: '' },
  printing: {
    enabled: true, pagesPerSession: 10, pagesPerJob: 0, pagesPerDay: 20, pagesPerMonth: 0, pagesPerHour: 40, colour: true, colourCost: 300, duplex: '', duplexCost: 50, copies: 5, hold: 'over', holdOver: 8, silent: 'staff',
    staff: [{ name: 'Accueil', badge: '9f2c41d07be8a3655c1de0f4a27b98c3d15e60f7b2a84c9d03e6f1a57b8c2d40' }], offlinePages: 5, finishSeconds: 60,
    periods: [{ from: '2027-02-06', to: '2027-02-21', why: 'Vacances d’hiver', pagesPerSession: 20, pagesPerJob: 0, pagesPerDay: 40, pagesPerMonth: 0, pagesPerHour: 80 }],
    groups: [{ name: 'Famille', pagesPerSession: 30, pagesPerDay: 40, pagesPerMonth: 0 }],
  },
  notice: { responsible: '', dpo: '', charter: [], number: 0, since: '', keep: {} },
  help: { near: 4, permanences: [], places: [] },
  permits: { prefetch: 4, validHours: 72, receiptWithin: 150 },
  energy: { dimMinutes: 10, darkMinutes: 0, night: 'halt', nightMinutes: 5, wakeMinutes: 12 },
  isolation: { requireFull: true, memoryMb: 1500, tmpfsMb: 512, maxProcs: 400 },
  keyboard: { layout: 'fr', variant: '', numLock: true },
  team: { badges: [], pinMay: [], directoryMay: [], contact: { name: '', phone: '' } },
  network: { resolver: '10.1.2.1', private: ['10.1.2.0/24'], proxy: '', pac: '', proxies: [], ca: [], reasons: [{ of: '10.1.2.0/24', why: 'ENT de l’établissement' }], line: { proxy: '', wired: { managed: false, ipv4: { address: '', gateway: '', dns: [] }, eap: { method: '', identity: '', anonymous: '', ca: '', server: '', secret: '' } }, wifi: { ssid: '', hidden: false, security: '', secret: '', ipv4: { address: '', gateway: '', dns: [] }, eap: { method: '', identity: '', anonymous: '', ca: '', server: '', secret: '' } } } },
  filter: { categories: [{ name: 'adult', digest: '' }, { name: 'drogue', digest: '' }], allow: [], block: [] },
}
const me = { id: 'u1', name: 'Camille Perrollaz', role: 'administrator', sites: [], all: true, expires: ahead(400), version: '0.1.0', demo: true }
/** A site as who sets it up sees it. */
const cardOf = (s) => ({
  id: s.id, rev: 3, name: s.name, kind: s.kind, commune: s.commune, territoire: s.territoire, phone: s.phone,
  ...(s.kind === 'college' ? { uai: '0750654D', head: 'direction@college.example.fr', address: '1 rue du Lac', lat: 45.9, lon: 6.12 } : {}),
  spaces: s.spaces.map((p) => ({ id: p.id, rev: 1, name: p.name })),
  terminals: s.spaces.flatMap((p) => p.terminals.map((t) => ({ id: t.id, name: t.name, space: p.id, state: t.state === 'waiting' || t.state === 'quarantined' ? t.state : 'active', printer: t.printer ? 'Brother HL-L5210DN' : undefined }))),
  codes: s.spaces[0] ? [{ id: 'k1', name: 'Poste 9', space: s.spaces[0].id, state: 'waiting', by: 'Camille Perrollaz', created: ago(3), expires: ahead(12) }] : [],
})
const find = (id) => fleet.sites.flatMap((s) => s.spaces.flatMap((p) => p.terminals.map((t) => ({ s, p, t })))).find((f) => f.t.id === id)

function detail(id) {
  const { s, p, t } = find(id)
  return {
    terminal: t, siteName: s.name, spaceName: p.name, build: 'v0.1.0', machine: 'Raspberry Pi 4 Model B', enrolled: ago(60 * 24 * 40), policyWanted: 12, policyApplied: 12, permits: 4, epoch: 1, cursor: 812, gaps: 0, unacked: 0, diskFree: 21.4e9, clockSure: true, segment: 2, index: 7,
    quarantine: t.state === 'quarantined' ? { reason: t.reason, detail: 'session s-44 has no receipt after 150 minutes', since: t.since, lifting: false } : undefined,
    lastReceipt: receipts[0],
    alerts: [],
    commands: t.state === 'quarantined' ? ['lift', 'identify', 'out'] : t.state === 'in-use' ? ['message', 'end', 'wipe', 'identify', 'quarantine', 'out', 'awake'] : ['wipe', 'identify', 'quarantine', 'out', 'awake'],
  }
}
function receiptView(id) {
  const b = receipt(Number(id.slice(1)))
  return {
    brief: b, terminal: 't2', name: 'Poste 2', unsure: false, boot: 'b-77', build: 'v0.1.0',
    props: props.map((name) => ({ name, held: name !== 'no-disk-swap', detail: name === 'no-disk-swap' ? '/proc/swaps lists /swapfile' : '' })),
    checks: [...checks.map((name, i) => ({ name, before: [23, 6, 412, 38, 2, 1][i] ?? 3, after: 0, result: 'clean', place: '' })), { name: 'canary-clipboard', before: 0, after: 0, result: 'not-planted' }],
    prev: digest(3), digest: digest(9), envelope: { kid: 'Zb3mKq0vQ1n2S4yT', domain: 'borne/receipt/1', payload: digest(1), sig: digest(2) },
  }
}
const audit = [['policy.changed', 'samivel', 'samivel', 'hours'], ['enrol.code', 'cluses', 'cluses-hall', 'Poste Parents'], ['login', '', '', ''], ['site.created', 'cluses', 'cluses', ''], ['user.created', '', 'u4', ''], ['login.link', '', 'u4', '']]
const inventory = [['session', 'terminal', 'where it was', 'public-task', 'usage'], ['session', 'begun', 'when it began', 'public-task', 'usage'], ['session', 'holder', 'pseudonym of the badge, unlinkable between months', 'public-task', 'usage'], ['terminal', 'name', 'shown to staff and people', 'none-personal', 'life'], ['terminal', 'lastSeen', 'last time it was connected', 'none-personal', 'life'], ['audit', 'actor', 'user, or the controller', 'public-task', 'audit']]
const days = Array.from({ length: 7 }, (_, i) => ({ day: new Date(Date.now() - (6 - i) * 86_400_000).toISOString().slice(0, 10), sessions: [12, 18, 9, 21, 16, 0, 3][i], minutes: 300 }))

const count = (n, hidden) => (hidden ? { n: 0, hidden } : { n })
const tally = (sessions, clean, more = {}) => ({ sessions: count(sessions), clean: count(clean), full: count(clean), reduced: count(0), power: count(0), crash: count(0), failed: 0, missing: 0, awaited: 0, rough: 0, challenges: 0, unproven: 0, ...more })
const few = Object.fromEntries(['sessions', 'clean', 'full'].map((k) => [k, count(0, 'few')]))
const certificate = (month) => ({
  format: 1, issuer: 'Département de la Haute-Savoie', site: 'samivel', name: 'Collège Samivel', kind: 'college', commune: 'Bonneville', month, from: `${month}-01T00:00:00Z`, to: ago(60), made: ago(0), build: 'v0.1.0', running: false, simulated: false, erased: [],
  total: tally(116, 115, { power: count(12), crash: count(0, 'few'), failed: 1, challenges: 1 }),
  terminals: [['t1', 'Poste 1', 'Hall d’accueil', tally(64, 63, { failed: 1 })], ['t2', 'Poste 2', 'Hall d’accueil', tally(0, 0, few)], ['t3', 'Poste CDI', 'CDI', tally(49, 49)]].map(([id, name, space, t]) => ({ id, name, space, state: 'active', tally: t, chain: 'holds', heads: [{ key: 'k' + id, digest: id.padEnd(64, '0af3') }] })),
  refused: [{ terminal: 'Poste 1, Hall d’accueil', on: ago(9000).slice(0, 10), reason: 'receipt-failed' }],
  quarantines: [{ terminal: 'Poste 1, Hall d’accueil', reason: 'receipt-failed', since: ago(9000).slice(0, 10), until: ago(8800).slice(0, 10), end: 'released' }],
  findings: [], more: 0, audit: { holds: true, entries: 812, head: '812:00' },
})
const waiting = [
  { terminal: 't2', name: 'Poste 2', site: 'samivel', siteName: 'Collège Samivel', job: 'j1', impressions: 12, sheets: 6, colour: false, since: ago(2) },
  { terminal: 't4', name: 'Poste 1', site: 'pms-annecy', siteName: 'Pôle médico-social d’Annecy', job: 'j2', impressions: 1, sheets: 1, colour: true, since: ago(0) },
]
const printed = (id, minutes, more) => ({ id, job: id, session: 's-40', terminal: 't2', name: 'Poste 2', site: 'samivel', siteName: 'Collège Samivel', at: ago(minutes), state: 'settled', asked: 4, impressions: 4, sheets: 2, colour: false, duplex: true, reserved: 400, charged: 400, estimated: false, offline: false, ...more })
const decide = [
  printed('p1', 35, { state: 'doubtful', reason: 'print-lost', asked: 12, impressions: 5, sheets: 3, reserved: 1200, charged: 0 }),
  printed('p2', 190, { terminal: 't7', name: 'Poste A', site: 'mie', siteName: 'Maison de l’insertion et de l’emploi', state: 'doubtful', reason: 'print-silent', asked: 3, impressions: 0, sheets: 0, reserved: 900, charged: 0, colour: true, estimated: true }),
]
const jobs = [decide[0], printed('p3', 70, {}), printed('p4', 300, { colour: true, duplex: false, sheets: 4, reserved: 1200, charged: 1200 }), printed('p5', 1500, { state: 'refunded', reason: 'print-cancelled', impressions: 0, sheets: 0, charged: 0 }), printed('p6', 3000, { state: 'decided', reason: 'print-printer', asked: 6, impressions: 3, charged: 300, by: 'Camille Perrollaz', why: 'Trois feuilles froissées' }), printed('p7', 5000, { offline: true, estimated: true })]
const printers = [
  { terminal: 't1', name: 'Poste 1', space: 'hall', spaceName: 'Hall d’accueil', online: true, state: 'ready', reasons: ['none'], model: 'Brother HL-L5210DN', counter: 48213, estimated: false, since: ago(400), at: ago(1), troubles: [{ code: 'printer-supply-soon', supply: 'Black Toner Cartridge', days: 6 }], supplies: [{ name: 'Black Toner Cartridge', kind: 'toner', level: 12, low: false, days: 6 }, { name: 'Drum Unit', kind: 'drum', level: 71, low: false, days: 365 }, { name: 'Tray 1', kind: 'paper', level: -2, low: false }] },
  { terminal: 't2', name: 'Poste 2', space: 'hall', spaceName: 'Hall d’accueil', online: true, state: 'stopped', reasons: ['media-empty-error'], model: 'HP LaserJet Pro 4002dn', counter: 9120, estimated: false, since: ago(18), at: ago(1), troubles: [{ code: 'printer-paper', since: ago(18) }], supplies: [{ name: 'HP 149A', kind: 'toner', level: 64, low: false, days: 12 }, { name: 'Waste Toner', kind: 'waste', level: 8, low: true, days: 3 }, { name: 'Tray 2', kind: 'paper', level: 0, low: true }] },
  { terminal: 't3', name: 'Poste CDI', space: 'cdi', spaceName: 'CDI', online: false, state: 'lost', reasons: [], estimated: true, since: ago(2900), at: ago(2900), troubles: [{ code: 'printer-lost', since: ago(2900) }], supplies: [{ name: '', kind: 'ink', level: -1, low: false }] },
]
const dayOf = (n) => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10)
const breaks = (last) => [['Vacances de la Toussaint', -3, 12], ['Vacances de Noël', 23, 39], ['Vacances d’Hiver', 72, 88], ['Vacances de Printemps', 128, 144], ['Pont de l’Ascension', 161, 164], ['Vacances d’Été', 219, 278]].filter(([, from]) => from < last).map(([name, from, to]) => ({ name, from: dayOf(from), to: dayOf(to) }))
const proposed = (z) => `https://data.education.gouv.fr/api/explore/v2.1/catalog/datasets/fr-en-calendrier-scolaire/exports/json?refine=zones%3AZone%20${z}`
const zones = {
  A: { zone: 'A', breaks: breaks(300), until: dayOf(278), left: 279, source: 'address', format: 'JSON', imported: ago(2900), by: 'Camille Perrollaz', address: proposed('A'), proposed: proposed('A') },
  B: { zone: 'B', breaks: breaks(30), until: dayOf(39), left: 40, source: 'file', format: 'ICS', imported: ago(200_000), by: 'Louis Favre', proposed: proposed('B'), error: 'Ligne 100 : Le fichier est coupé : « END:VEVENT » manque (commencé à la ligne 96). Téléchargez-le de nouveau.', failed: ago(600) },
  C: { zone: 'C', breaks: [], left: 0, proposed: proposed('C') },
}
const publicDays = [['Noël', 29], ['Jour de l’An', 36], ['Lundi de Pâques', 122], ['Fête du Travail', 156], ['Ascension', 161], ['Victoire de 1945', 163], ['Lundi de Pentecôte', 172], ['Fête nationale', 230], ['Assomption', 262], ['Toussaint', 340], ['Armistice de 1918', 350]].map(([name, n], i) => ({ key: `k${i}`, name, day: dayOf(n) }))
const hit = (terminal, name, siteName, spaceName, more = {}) => ({ terminal, name, site: 's', siteName, spaceName, hit: true, cuts: false, offline: false, ...more })
const bulkHits = [
  hit('t2', 'Poste 2', 'Collège Samivel', 'Hall d’accueil', { cuts: true }),
  hit('t4', 'Poste 1', 'Pôle médico-social d’Annecy', 'Salle d’attente', { cuts: true }),
  hit('t8', 'Poste B', 'Maison de l’insertion et de l’emploi', 'Espace multimédia', { offline: true }),
  hit('t1', 'Poste 1', 'Collège Samivel', 'Hall d’accueil', { hit: false, why: 'no-session' }),
  hit('t10', 'Poste Parents', 'Collège Geneviève-Anthonioz', 'Hall', { hit: false, why: 'not-installed', offline: true }),
]
const bulkLine = (terminal, name, siteName, spaceName, state, more = {}) => ({ terminal, name, siteName, spaceName, state, online: true, changed: ago(1), expires: ahead(9), ...more })
const bulkOf = (id) => ({ id, kind: 'message', text: 'Le hall ferme à 17 h aujourd’hui.', by: 'Camille Perrollaz', issued: ago(2), counts: { pending: 1, delivered: 1, done: 3, refused: 1, expired: 0, leftOut: 1 } })
const bulkView = (id) => ({ ...bulkOf(id), lines: [bulkLine('t1', 'Poste 1', 'Collège Samivel', 'Hall d’accueil', 'done'), bulkLine('t2', 'Poste 2', 'Collège Samivel', 'Hall d’accueil', 'done'), bulkLine('t3', 'Poste CDI', 'Collège Samivel', 'CDI', 'done'), bulkLine('t4', 'Poste 1', 'Pôle médico-social d’Annecy', 'Salle d’attente', 'delivered'), bulkLine('t7', 'Poste A', 'Maison de l’insertion et de l’emploi', 'Espace multimédia', 'refused', { answer: 'unknown-command' }), bulkLine('t8', 'Poste B', 'Maison de l’insertion et de l’emploi', 'Espace multimédia', 'pending', { online: false }), bulkLine('t10', 'Poste Parents', 'Collège Geneviève-Anthonioz', 'Hall', 'left-out', { answer: 'not-installed', changed: undefined, expires: undefined })] })
const hooksNow = [
  { id: 'h1', name: 'Supervision du Département', address: 'https://supervision.example.org/borne', on: true, level: 'soon', sites: [], night: false, sent: ago(35), waiting: 0 },
  { id: 'h2', name: 'Tickets des collèges', address: 'https://tickets.example.org/entrees/9f2c?origine=bornes', on: true, level: 'urgent', sites: ['samivel', 'cluses'], night: true, failed: ago(12), error: 'L’adresse n’a pas accepté l’envoi (réponse 503).', waiting: 2 },
]
const alertsNow = { on: true, level: 'soon', sites: [], night: false, email: 'camille.perrollaz@example.org', mails: true }
const matter = (id, code, level, minutes, more) => ({ id, code, level, site: 'samivel', siteName: 'Collège Samivel', spaceName: 'Hall d’accueil', terminal: 't2', name: 'Poste 2', since: ago(minutes), ...more })
const matters = [
  matter('m1', 'wipe-failed', 'urgent', 35, {}),
  matter('m2', 'quarantined', 'urgent', 130, { why: 'receipt-failed', terminal: 't3', name: 'Poste CDI', spaceName: 'CDI' }),
  matter('m3', 'offline', 'soon', 90, { terminal: 't7', name: 'Poste A', site: 'mie', siteName: 'Maison de l’insertion et de l’emploi', spaceName: 'Salle' }),
  matter('m4', 'printer-supply-soon', 'notice', 2000, { about: 'Toner noir', count: 4 }),
  matter('m5', 'calendar-ending', 'notice', 2900, { about: 'B', count: 38, site: undefined, siteName: undefined, spaceName: undefined, terminal: undefined, name: undefined }),
  matter('m6', 'reader-lost', 'soon', 400, { terminal: 't1', name: 'Poste 1', taken: { at: ago(60), by: 'Louis Favre', mine: false, note: 'Lecteur commandé, reçu jeudi.' } }),
]
const problem = (status, detail, errors = []) => ({ status, body: { status, title: 'Erreur', detail, errors } })

const rulesOf = rulesWith(policy, ago, problem)

function answer(method, path, body, headers) {
  const [, , a, id, b] = path.split('/')
  const hours = hoursOf(method, path, body)
  if (hours) return hours
  const badges = badgesOf(method, path, body, headers['x-mock'])
  if (badges) return badges
  const rules = rulesOf(method, path, body)
  if (rules) return rules
  if (method === 'GET') {
    if (a === 'me' && !id) return ['observer', 'building', 'dpo', 'reception'].includes(headers['x-mock']) ? { body: { ...me, role: headers['x-mock'] } } : headers['x-mock'] && headers['x-mock'] !== 'help' ? problem(401, 'Vous n’êtes pas connecté.') : { body: me }
    if (a === 'sites' && !id) return { body: { sites: fleet.sites.map(cardOf) } }
    if (a === 'fleet') return { body: headers['x-mock'] === 'help' ? called : fleet }
    if (path === '/api/login') return { body: { provider: 'ProConnect' } }
    if (a === 'terminals' && !b) return { body: detail(id) }
    if (b === 'sessions') return { body: { sessions, next: 'x' } }
    if (b === 'receipts') return { body: { receipts } }
    if (b === 'commands') return { body: { commands } }
    if (a === 'receipts') return { body: receiptView(id) }
    if (b === 'report') return { body: { site: id, today: { sessions: 3, minutes: 90, pages: 4, ends: {} }, week: { sessions: 79, minutes: 2140, pages: 133, ends: {} }, days } }
    if (a === 'me' && id === 'alerts') return { body: alertsNow }
    if (a === 'bulk') return { body: id ? bulkView(id) : { bulks: [bulkOf('b1'), { ...bulkOf('b0'), kind: 'end', text: undefined, issued: ago(3000), counts: { pending: 0, delivered: 0, done: 12, refused: 0, expired: 2, leftOut: 0 } }] } }
    if (a === 'hooks') return { body: { hooks: hooksNow } }
    if (a === 'matters') return { body: { matters, more: 0 } }
    if (a === 'prints') return { body: { waiting, decide } }
    if (b === 'prints') return { body: { jobs, next: 'x' } }
    if (b === 'printers') return { body: { site: id, printers } }
    if (a === 'audit') return { body: { entries: audit.map(([action, s, target, d], i) => ({ seq: 90 - i, at: ago(i * 300), actor: i === 2 ? 'Louis Favre' : 'Camille Perrollaz', action, site: s, target, detail: d, hash: digest(i) })) } }
    if (a === 'inventory') return { body: { fields: inventory.map(([table, field, purpose, basis, retention]) => ({ table, field, purpose, basis, retention })) } }
    if (a === 'calendars') return { body: { zones: Object.values(zones), publicDays } }
    if (a === 'lists') return { body: { lists: [['adult', 4598321], ['agressif', 388], ['drogue', 1052], ['gambling', 32871], ['malware', 214554]].map(([category, names]) => ({ category, names, imported: '2026-11-20T08:00:00Z' })) } }
  }
  if (headers['x-borne'] !== '1') return problem(403, 'Cette demande ne vient pas de la console : elle a été refusée.')
  if (path === '/api/login/link') return body.token.startsWith('expired') ? problem(401, 'Ce lien de connexion n’est plus valable : il sert une seule fois, pendant 15 minutes. Demandez-en un autre.') : { body: me }
  if (b === 'awake') return { status: 202, body: { told: 2, away: 1, ...(body.minutes ? { until: ahead(body.minutes) } : {}) } }
  if (method === 'POST' && b === 'commands') return { status: 202, body: { id: 'c9' } }
  if (b === 'certificates') return { status: 201, body: { certificate: certificate(body.month), digest: '36ac7f1530f27d592855fd228ddbff3a811aa93b515823198fea8f4e4e59e719', envelope: { kid: 'Zb3mKq0vQ1n2S4yT', domain: 'borne/certificate/1', payload: '', sig: '' } } }
  if (b === 'decision') return body.reason.length < 5 ? problem(422, 'Cette demande n’est pas complète.', [{ location: 'body.reason', message: 'dites pourquoi en quelques mots' }]) : { body: { ...decide[0], state: 'decided' } }
  if (method === 'POST' && (b === 'prints' || b === 'pages')) return { status: 202, body: { id: 'c9' } }
  if (b === 'enrol-codes') return { status: 201, body: { id: 'k2', code: '7KQ2-M9XD-04RT-HW3P', expires: ahead(15) } }
  if (a === 'calendars') {
    if (method === 'PUT') {
      zones[id] = { ...zones[id], error: 'Ligne 1 : Le fichier est coupé : « END:VCALENDAR » manque (commencé à la ligne 1). Téléchargez-le de nouveau.', failed: ago(0) }
      return problem(422, zones[id].error)
    }
    return { body: { ...zones.A, zone: id, address: body.address, by: me.name, imported: ago(0) } }
  }
  if (a === 'me' && id === 'alerts') return { body: { ...alertsNow, ...body } }
  if (a === 'bulk') return { body: id === 'preview' ? { fingerprint: 'f', hits: bulkHits, terminals: 3, sites: 3, cut: 2, offline: 1, minutes: 1440 } : bulkView('b1') }
  if (a === 'hooks') return { body: { ...hooksNow[0], ...(id ? {} : { key: 'q3Zx8Yb0nZ5m3tVw1LrP7sKd2FhJ6aCe9uGi4oTyR0E' }) } }
  if (b === 'taken') return { body: { ...matters.find((m) => m.id === id), taken: body.taken ? { at: ago(0), by: me.name, mine: true, note: body.note } : undefined } }
  return problem(404, 'Cet élément n’existe pas, ou plus.')
}

export async function api(req, res, url) {
  if (url.pathname === '/api/live') {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    return void res.write(`event: hello\ndata: {"generation":1,"heartbeat":15}\n\n`)
  }
  if (url.pathname === '/api/indicators') {
    const all = req.headers['x-mock'] !== 'observer'
    const guarded = !all || url.searchParams.has('guarded')
    return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(indicators(url, guarded, all)))
  }
  let text = ''
  for await (const chunk of req) text += chunk
  const a = answer(req.method, url.pathname, text && req.headers['content-type'] === 'application/json' ? JSON.parse(text) : {}, req.headers)
  res.writeHead(a.status ?? 200, { 'content-type': 'application/json', ...(a.etag ? { etag: a.etag } : {}) }).end(JSON.stringify(a.body))
}
