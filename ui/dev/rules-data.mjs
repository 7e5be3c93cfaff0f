// Rules for the pictures: a layer each for the Département, a site, a space and a terminal.
const names = [
  { level: 'global', id: '', name: 'Département' },
  { level: 'site', id: 'samivel', name: 'Collège Samivel' },
  { level: 'space', id: 'samivel-hall', name: 'Hall d’accueil' },
  { level: 'terminal', id: 't1', name: 'Poste 1' },
]
const depth = { all: 1, sites: 2, spaces: 3, terminals: 4 }

/** Where each value comes from: the Département set badges, all else is the site's or Borne's. */
function originOf(doc, own, path = '') {
  return Object.entries(doc).reduce((all, [k, v]) => {
    const at = path ? `${path}.${k}` : k
    if (v && typeof v === 'object' && !Array.isArray(v)) return { ...all, ...originOf(v, own, at) }
    const section = at.split('.')[0]
    return { ...all, [at]: own.includes(section) ? 'site' : section === 'access' || at === 'web.uploads' ? 'global' : '' }
  }, {})
}

export function rulesWith(policy, ago, problem) {
  let rev = 7
  const own = ['session', 'hours', 'portal', 'printing', 'energy']
  const view = (level, more = {}) => ({
    body: { rev, level: names[depth[level] - 1].level, own, policy, origin: originOf(policy, own), levels: names.slice(0, depth[level]), changed: ago(3000), by: 'Camille Perrollaz', applied: [{ terminal: 't1', name: 'Poste 1', wanted: 12, applied: 12 }, { terminal: 't2', name: 'Poste 2', wanted: 12, applied: level === 'spaces' ? 12 : 11, ...(level === 'spaces' || level === 'terminals' ? { reverted: 'cannot keep the network of these rules: the controller was not reached through it within 2m0s: cannot reach the proxy 10.1.2.3:3128' } : {}) }], ...more },
    etag: `"${rev}"`,
  })
  const versions = [
    { id: 'v2', version: 12, at: ago(3000), by: 'Camille Perrollaz', note: 'Demande du collège, avant les inscriptions', sections: ['session'], changes: [{ path: 'session.minutes', before: 60, after: 45 }, { path: 'session.warnMinutes', before: [5], after: [10, 5, 1] }] },
    { id: 'v1', version: 9, at: ago(20_000), by: 'Louis Favre', sections: ['web'], changes: [{ path: 'web.blocked', before: [], after: ['exemple.com'] }, { path: 'web.camera', before: true, after: false }] },
  ]
  const rollout = { state: 'running', step: 2, reached: 12, of: 118, proved: 7, since: ago(6), dwellMinutes: 10 }
  const stopped = { ...rollout, state: 'stopped', culprit: 't2', culpritName: 'Poste 2', why: 'refused', detail: 'cannot use the policy: no list of the category "drogue"' }
  return (method, path, body) => {
    const m = /^\/api\/(?:policy|(sites|spaces|terminals)\/[^/]+\/policy)(?:\/(\w+))?$/.exec(path)
    if (!m) return undefined
    const level = m[1] ?? 'all'
    if (method === 'GET') return m[2] === 'changes' ? { body: { changes: versions } } : view(level, level === 'all' ? { rollout } : level === 'spaces' ? { rollout: stopped } : {})
    if (m[2] === 'rollout') return view(level, { rollout: { ...rollout, state: { continue: 'done', hold: 'held', back: 'back' }[body.action] } })
    if (m[2] === 'undo') {
      rev++
      return view(level)
    }
    if (body.policy.session.minutes > 480) return problem(422, 'Certaines règles ne conviennent pas.', [{ location: 'body.policy.session.minutes', message: 'entre 5 et 480 minutes' }])
    if (body.policy.printer.uri.startsWith('http:')) return problem(422, 'Certaines règles ne conviennent pas.', [{ location: 'body.policy.printer.uri', message: 'L’adresse de l’imprimante commence par ipp:// ou ipps:// (exemple : ipps://10.1.2.3/ipp/print). Une imprimante sans IPP se règle dans le fichier du poste.' }])
    if (body.policy.printing.pagesPerSession === 0) return problem(422, 'Certaines règles ne conviennent pas.', [{ location: 'body.policy.printing', message: 'L’impression est permise, mais avec zéro page par session : personne ne pourrait imprimer.' }, { location: 'body.policy.printing.staff[0].badge', message: 'Ce n’est pas l’empreinte d’un badge : 64 chiffres et lettres de a à f, que le poste donne.' }, { location: 'body.policy.printing.periods[0].to', message: 'La période finit avant de commencer.' }])
    if (m[2] === 'preview')
      return {
        body: {
          changes: [{ path: 'session.minutes', before: 45, after: body.policy.session.minutes }, { path: 'web.allowed', before: ['caf.fr'], after: ['caf.fr', 'ameli.fr'] }],
          hours: [], staged: true, set: ['web'], left: [],
          hits: [{ site: 'samivel', siteName: 'Collège Samivel', space: 'cdi', spaceName: 'CDI', terminals: ['Poste CDI'] }, { site: 'samivel', siteName: 'Collège Samivel', space: 'samivel-hall', spaceName: 'Hall d’accueil', terminals: ['Poste 1', 'Poste 2'] }],
        },
      }
    if (body.policy.session.minutes === 44) return problem(412, 'Quelqu’un a changé ces règles entre-temps. Rechargez la page, puis refaites votre changement.')
    rev++
    return view(level, { own: body.own, policy: body.policy })
  }
}
