// A school year of indicators, for pictures of the page.
const energy = (k) => ({ onSeconds: 0, litSeconds: 0, darkSeconds: 0, lowSeconds: 0, haltedSeconds: 0, offSeconds: 0, usedKwh: 14.6 * k, alwaysKwh: 60.2 * k, savedKwh: 45.6 * k, savedEuros: 8.85 * k, basis: 'mixed', days: 300, measuredDays: 80, odd: 0 })
const months = ['2026-09', '2026-10', '2026-11', '2026-12', '2027-01', '2027-02', '2027-03', '2027-04', '2027-05', '2027-06', '2027-07', '2027-08']
const shape = [0, 0, 0, 0, 0, 0, 0, 1, 8, 14, 12, 9, 4, 6, 11, 13, 12, 15, 9, 4, 1, 0, 0, 0]
const badge = (m, i) => ({ month: m, ended: i < 7, part: i % 4 === 1, ...(i === 11 ? {} : { count: [312, 287, 240, 198, 305, 221, 330, 255, 291, 246, 60][i] }) })

function sum(k, more = {}) {
  const n = Math.round(880 * k)
  return {
    sites: Math.max(1, Math.round(4 * k)), colleges: Math.max(1, Math.round(2 * k)), shared: 1, openSeconds: Math.round(3600 * 640 * k), outsideSeconds: Math.round(3600 * 61 * k),
    visits: n, outsideVisits: Math.round(n * 0.11), badged: Math.round(n * 0.6), badges: [], meanSeconds: 1140, medianSeconds: 820,
    begun: shape.map((x) => Math.round(x * k * 7)), use: shape.map((x) => Math.round(x * k * 7 * 1100)), untold: [], unsure: 0, langs: [{ key: 'fr', count: n }],
    pages: Math.round(n * 1.4), help: Math.round(n * 0.05), refusals: 12, answers: Math.round(n * 0.24), good: Math.round(n * 0.2), energy: energy(k),
    hidden: { visits: 0, outside: 0, begun: 0, langs: 0, answers: 0, pages: 0, help: 0, refusals: 0 }, ...more,
  }
}

const few = { ...sum(0.1), visits: undefined, outsideVisits: undefined, answers: undefined, good: undefined, pages: undefined, meanSeconds: undefined, medianSeconds: undefined, help: undefined, hidden: { ...sum(0).hidden, visits: 3 } }

export function indicators(url, guarded, all) {
  const by = url.searchParams.get('by')
  const total = sum(12, { sites: 42, colleges: 28, shared: 19, badges: months.map(badge), untold: guarded ? [7, 20] : [], hidden: { ...sum(0).hidden, visits: guarded ? 3 : 0 } })
  const places = ['Collège Samivel', 'Collège Jacques-Prévert', 'Maison de l’insertion et de l’emploi', 'PMS d’Annemasse'].map((name, i) => ({ key: `s${i}`, name, sum: sum(4 - i) }))
  places.push({ key: 's9', name: 'PMS de Thônes', sum: few })
  const lines = {
    month: months.map((m, i) => ({ key: m, name: m, sum: sum([1.1, 1, 0.9, 0.7, 1.1, 0.8, 1.2, 0.9, 1, 0.9, 0.3, 0.1][i], { badges: [badge(m, i)] }) })),
    site: places,
    territoire: ['Arve Faucigny', 'Bassin annécien', 'Chablais', 'Genevois'].map((name, i) => ({ key: name, name, sum: sum(4 - i) })),
    group: ['Collèges ouverts le soir', '—'].map((name, i) => ({ key: name === '—' ? name : `g${i}`, name, sum: sum(6 - i) })),
    type: ['college', 'mie', 'pms'].map((key, i) => ({ key, name: key, sum: sum(4 - i) })),
  }[by] ?? []
  return {
    from: '2026-09-01', to: '2027-08-31', by, of: '', guarded, all, over: '2027-04-30', price: 0.194, total, lines, count: lines.length, next: 0,
    choices: { sites: places.map((p) => ({ id: p.key, name: p.name })), territoires: ['Arve Faucigny', 'Bassin annécien', 'Chablais', 'Genevois'], types: ['college', 'mie', 'pms'], groups: [{ id: 'g0', name: 'Collèges ouverts le soir' }] },
  }
}
