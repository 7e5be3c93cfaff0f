// Canned badges and day codes, for screenshots.
const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString()
const badge = (number, more) => ({ number, kind: 'permanent', group: '', site: 'samivel', siteName: 'Collège Samivel', sites: [], disabled: false, lost: false, created: at(-900), seen: '2026-11', ...more })
const badges = [
  badge('123456786', { group: 'Famille' }),
  badge('204518730', { kind: 'day', sites: ['samivel'], until: at(4) }),
  badge('204518742', { kind: 'day', sites: ['samivel'] }),
  badge('572001034', { lost: true, site: 'mie', siteName: 'Maison de l’insertion et de l’emploi' }),
  badge('731904260', { expires: at(-40), group: 'Senior' }),
]
const window = { id: 'w1', until: at(1 / 60), done: true, number: '688140273' }
const problem = (detail, errors) => ({ status: 422, body: { status: 422, title: 'Champs à corriger', detail, errors } })

/** The answer to a request about badges; undefined for any other. */
export function badgesOf(method, path, body, mock) {
  const [, , a, id, b] = path.split('/')
  if (method === 'GET' && a === 'badges') return b === 'export' ? { body: { badge: badges[0], sessions: [], pages: [], prints: [] } } : { body: { badges, found: 141, next: '731904260' } }
  if (a === 'badge-desk') return { body: { codes: [{ sheet: 's1', site: 'samivel', siteName: 'Collège Samivel', until: at(4), left: 7 }], sites: [{ site: 'samivel', codes: mock !== 'reception', badges: true, groups: ['Famille', 'Senior'] }], followed: true, staff: [{ id: 's1', login: 'anna.favre', site: 'samivel', siteName: 'Collège Samivel', valid: true, asked: at(-0.1) }, { id: 's2', login: 'bruno.perrin', site: 'mie', siteName: 'Maison de l’insertion et de l’emploi', valid: false, asked: at(-50) }] } }
  if (a === 'terminals' && b === 'badges') return { status: method === 'GET' ? 200 : 202, body: window }
  if (a === 'badges') return b === 'erase' ? { body: { sessions: 3, months: 1 } } : { body: badges.find((x) => x.number === id) }
  if (a === 'badges-file') return method === 'GET' ? { body: { csv: 'numero;groupe;lieux;expire;etat\n' } } : body.csv.includes('demain') ? problem('Le fichier n’est pas encore juste : rien n’a été importé.', [{ location: 'body.csv.3', message: 'Ligne 3 : La date « demain » ne se lit pas : écrivez-la ainsi : 2027-06-30.' }]) : { body: { lines: 4, changed: 2 } }
  if (b === 'day-codes' && method === 'POST') return path.endsWith('/cancel') ? { status: 204 } : { status: 201, body: { sheet: 's2', until: at(4), codes: Array.from({ length: body.n }, (_, i) => 'ACDEFGHJKMNPRTWXY2345789'.slice(i % 16, (i % 16) + 8)) } }
}
