// A college's hours as the API answers, for pictures: a small evaluator that
// knows enough of the rules to look right. The real one is in Go.
const dayAt = (day) => Date.parse(day + 'T00:00:00Z')
const dayOf = (t) => new Date(t).toISOString().slice(0, 10)
const plus = (day, n) => dayOf(dayAt(day) + n * 86_400_000)
const weekday = (day) => new Date(dayAt(day)).getUTCDay()
const today = dayOf(Date.now())
const span = (...m) => m.reduce((all, x, i) => (i % 2 ? [...all.slice(0, -1), { from: all.at(-1).from, to: x }] : [...all, { from: x }]), [])
const empty = () => Array.from({ length: 7 }, () => [])

const usual = [[], span(480, 720, 810, 1050), span(480, 720, 810, 1050), span(480, 720), span(480, 720, 810, 1050), span(480, 720, 810, 960), []]
const year = Number(today.slice(0, 4))
const publicDays = [year, year + 1].flatMap((y) => [['new-year', '01-01', 'Jour de l’An'], ['labour', '05-01', 'Fête du Travail'], ['victory', '05-08', 'Victoire de 1945'], ['national', '07-14', 'Fête nationale'], ['assumption', '08-15', 'Assomption'], ['all-saints', '11-01', 'Toussaint'], ['armistice', '11-11', 'Armistice de 1918'], ['christmas', '12-25', 'Noël']].map(([key, d, name]) => ({ key, day: `${y}-${d}`, name })))
const breaks = [['Vacances de Noël', 23, 39], ['Vacances d’Hiver', 72, 88], ['Vacances de Printemps', 128, 144], ['Vacances d’Été', 219, 278]].map(([name, from, to]) => ({ name, from: plus(today, from), to: plus(today, to) }))

let hours = {
  always: false,
  weekly: usual,
  seasons: [{ name: 'Horaires d’été', from: plus(today, 205), to: plus(today, 218), weekly: usual.map((d) => (d.length ? span(540, 780) : [])) }],
  monthly: [{ nth: 1, day: 2, spans: span(1050, 1200), why: 'Ouverture en soirée' }],
  exceptions: [{ day: plus(today, 8), spans: span(480, 720), why: 'Réunion de l’équipe' }, { day: plus(today, 14), to: plus(today, 15), spans: [], why: 'Travaux' }, { day: plus(today, 19), spans: span(1080, 1230), add: true, why: 'Portes ouvertes' }],
  school: { zone: 'A', mode: 'weekly', weekly: empty().map((d, i) => (i === 2 || i === 4 ? span(540, 720) : d)), breaks },
  public: { mode: 'closed', worked: [] },
  duty: usual,
  guarded: true,
  agreements: [{ from: plus(today, -30), to: plus(today, 220), by: 'Mme Bonnard, principale', agreed: plus(today, -40), key: 'M. Ours, gardien', contact: 'gardien@college.example', suspended: false }],
  meanwhile: 'La mairie, place de l’Hôtel de Ville, est ouverte jusqu’à 17 h 30.',
}
let rev = 4
let changes = [
  { id: 'h3', at: new Date(Date.now() - 3 * 3_600_000).toISOString(), by: 'Camille Perrollaz', sentences: ['Ajouté : ouverture du premier mardi de chaque mois, 17 h 30 – 20 h.'], note: '' },
  { id: 'h2', at: new Date(Date.now() - 76 * 3_600_000).toISOString(), by: 'Louis Favre', sentences: ['vendredi : 8 h – 12 h et 13 h 30 – 16 h (avant : 8 h – 12 h).', 'Vacances scolaires : une permanence.'], note: 'Demande de la principale' },
]

function plan(h, day) {
  const found = publicDays.find((p) => p.day === day)
  const free = h.school.breaks.find((b) => b.from <= day && day <= b.to)
  const exception = h.exceptions.find((e) => !e.add && e.day <= day && (e.to ?? e.day) >= day)
  const season = h.seasons.findLast((s) => s.from <= day && day <= s.to)
  let [cause, why, spans] = ['weekly', '', h.weekly[weekday(day)]]
  const put = (list, c, w) => list.map((s) => ({ ...s, cause: c, why: w, outside: false, refused: false }))
  if (exception) [cause, why, spans] = ['exception', exception.why, exception.spans]
  else if (found && h.public.mode === 'closed' && !h.public.worked.includes(found.key)) [cause, why, spans] = ['public', found.name, []]
  else if (free && h.school.zone && h.school.mode) [cause, why, spans] = ['school', free.name, h.school.mode === 'weekly' ? h.school.weekly[weekday(day)] : []]
  else if (season) [cause, why, spans] = ['season', season.name, season.weekly[weekday(day)]]
  const monthly = ['weekly', 'season'].includes(cause) ? h.monthly.filter((m) => m.day === weekday(day) && (m.nth < 0 ? plus(day, 7).slice(0, 7) !== day.slice(0, 7) : Math.ceil(Number(day.slice(8)) / 7) === m.nth)) : []
  const added = h.exceptions.filter((e) => e.add && e.day <= day && (e.to ?? e.day) >= day)
  return { day, cause, why, school: free?.name ?? '', public: found?.name ?? '', spans: [...put(spans, cause, why), ...monthly.flatMap((m) => put(m.spans, 'monthly', m.why)), ...added.flatMap((e) => put(e.spans, 'exception', e.why))] }
}

const view = (space) => ({ rev, level: space ? 'space' : 'site', own: !space, hours, osm: 'Mo-Tu,Th 08:00-12:00,13:30-17:30; We 08:00-12:00; Fr 08:00-12:00,13:30-16:00; SH Tu,Th 09:00-12:00; PH off', changed: changes[0].at, by: changes[0].by, open: true, until: new Date(Date.now() + 2 * 3_600_000).toISOString(), cause: 'weekly', why: '', spaces: space ? [] : [{ id: 'hall', name: 'Hall d’accueil', own: false }, { id: 'cdi', name: 'CDI', own: true }], publicDays, consents: [], mails: false, calendar: { zone: 'A', until: breaks.at(-1).to, age: new Date(Date.now() - 40 * 3_600_000).toISOString() } })
const answered = (space) => ({ body: view(space), etag: `"${rev}"` })

/** Answers what the page of hours asks; undefined when it is about something else. */
export function hoursOf(method, path, body) {
  const m = /^\/api\/(sites|spaces)\/[^/]+\/hours(?:\/(\w+))?$/.exec(path)
  if (path === '/api/hours/apply') return { body: { applied: body.sites, problems: [] } }
  if (!m) return undefined
  const space = m[1] === 'spaces'
  if (m[2] === 'changes') return { body: { changes } }
  if (m[2] === 'preview') {
    const days = Array.from({ length: body.days }, (_, i) => plan(body.hours, plus(body.from, i)))
    return { body: { days, warnings: [{ sentence: 'L’accord se termine bientôt : ensuite, les ouvertures en dehors des heures du personnel s’arrêtent d’elles-mêmes.', day: hours.agreements[0].to }], problems: [], asks: [], changes: JSON.stringify(body.hours) === JSON.stringify(hours) ? [] : ['Un changement des horaires, pour l’image.'] } }
  }
  if (method === 'PUT') {
    hours = body.hours
    changes = [{ id: `h${++rev}`, at: new Date().toISOString(), by: 'Camille Perrollaz', sentences: ['Les horaires ont changé.'], note: '' }, ...changes]
  }
  return answered(space)
}
