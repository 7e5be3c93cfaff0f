import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { translator } from '../../../../shared/i18n/format.ts'
import { parseView, type Print } from '../view.ts'
import { languages, Words } from '../words.svelte.ts'
import { readRange } from './ranges.ts'
import { inBar, nothingLeft, question, same, tooMuch, trouble, whole, why } from './say.ts'

const words = new Words()
await Promise.all(languages.map((l) => words.bring(l)))
const spoken = words.spoken

const t = (lang = 'fr') => translator<any>(spoken, lang)
const nb = (s: string) => s.replace(/\u00a0/g, ' ')
const job: Print = { stage: 'question', job: 'a1', pages: 12, impressions: 12, sheets: 6, copies: 1, duplex: true, maxCopies: 5, canDuplex: true, canColour: true, cost: 1200, left: 2000, leftScope: 'day' }
const says = (more: Partial<Print>, lang = 'fr') => {
  const q = question({ ...job, ...more }, t(lang))
  return nb([q.title, ...q.lines].join(' | '))
}

describe('the question', () => {
  it.each<[Partial<Print>, string]>([
    [{}, '12 pages, recto verso, noir et blanc. | Il vous en restera 8 aujourd’hui.'],
    [{ duplex: false, left: 1200 }, '12 pages, noir et blanc. | Ce sont vos dernières pages aujourd’hui.'],
    [{ left: -1, leftScope: '' }, '12 pages, recto verso, noir et blanc.'],
    [{ copies: 2, impressions: 24, cost: 2400, left: 2550, leftScope: 'month' }, '2 fois 12 pages, recto verso, noir et blanc. | Il vous en restera 1 ce mois-ci.'],
    [{ pages: 1, impressions: 1, sheets: 1, duplex: false, cost: 100, leftScope: 'session' }, '1 page, noir et blanc. | Il vous en restera 19 pour cette session.'],
    [{ colour: true, cost: 3600, left: 5000 }, '12 pages, recto verso, en couleur. | La couleur compte davantage : cela fait 36 pages. | Il vous en restera 14 aujourd’hui.'],
    [{ cost: 900 }, '12 pages, recto verso, noir et blanc. | Le recto verso compte moins : cela fait seulement 9 pages. | Il vous en restera 11 aujourd’hui.'],
    [{ pages: 1, impressions: 1, cost: 150, duplex: false, colour: true }, '1 page, en couleur. | La couleur compte davantage : cela fait 1,5 page. | Il vous en restera 18 aujourd’hui.'],
    [{ reason: 'print-no-colour' }, '12 pages, recto verso, noir et blanc. | Ici, on imprime en noir et blanc seulement. | Il vous en restera 8 aujourd’hui.'],
    [{ reason: 'print-quota', left: 850 }, 'Ce document a 12 pages, et il vous en reste 8 aujourd’hui. | Choisissez les pages à imprimer.'],
    [{ reason: 'print-quota', copies: 2, impressions: 24, cost: 2400 }, 'Cela fait 24 pages, et il vous en reste 20 aujourd’hui. | Choisissez moins de copies, ou les pages à imprimer.'],
    [{ reason: 'print-quota', colour: true, cost: 3600 }, 'Cela fait 36 pages, et il vous en reste 20 aujourd’hui. | Choisissez les pages à imprimer, ou le noir et blanc.'],
    [{ reason: 'print-quota', range: '1-10', impressions: 10, cost: 1000, left: 800 }, 'Cela fait 10 pages, et il vous en reste 8 aujourd’hui. | Choisissez les pages à imprimer.'],
    [{ reason: 'print-job-pages', maxPages: 5 }, 'Cela fait 12 pages, et on peut en imprimer 5 à la fois. | Choisissez les pages à imprimer.'],
    [{ reason: 'print-quota-hour', left: 300, leftScope: 'hour' }, 'Cela fait 12 pages, et ce poste peut encore en imprimer 3 pendant cette heure. | Choisissez les pages à imprimer.'],
    [{ reason: 'print-offline', left: 500, leftScope: 'offline' }, 'Ce document a 12 pages, et il vous en reste 5 tant que la liaison est coupée. | Choisissez les pages à imprimer.'],
    [{ reason: 'print-quota', left: 99 }, 'Il ne vous reste plus de page aujourd’hui. | Si vous en avez besoin, demandez à l’accueil : on peut vous en accorder.'],
    [{ reason: 'print-quota-hour', left: 0, leftScope: 'hour' }, 'Ce poste a imprimé toutes ses pages pour cette heure. | Réessayez un peu plus tard, ou demandez à l’accueil.'],
  ])('%j', (more, want) => expect(says(more)).toBe(want))

  it('speaks each language', () => {
    expect(says({}, 'en')).toBe('12 pages, both sides, black and white. | You will have 8 left for today.')
    expect(says({}, 'fr-x-facile')).toBe('12 pages, recto verso, noir et blanc. | Après, il vous reste 8 pages aujourd’hui.')
    expect(says({ reason: 'print-quota', left: 800 }, 'en')).toBe('This document has 12 pages, and you have 8 left for today. | Choose the pages to print.')
  })

  it('promises no more pages than there are', () => {
    expect([whole(-100), whole(0), whole(99), whole(100), whole(1999)]).toEqual([0, 0, 0, 1, 19])
    expect([nothingLeft({ ...job, left: 0 }), nothingLeft({ ...job, left: 99, reason: 'print-quota' }), nothingLeft({ ...job, left: -1, reason: 'print-quota' })]).toEqual([false, true, false])
    expect([tooMuch(job), tooMuch({ ...job, reason: 'print-no-colour' }), tooMuch({ ...job, reason: 'print-job-pages' })]).toEqual([false, false, true])
  })

  it('knows when the agent has taken the choice', () => {
    expect(same({ copies: 1 }, { copies: 1, duplex: false, range: '' })).toBe(true)
    for (const other of [{ copies: 2 }, { copies: 1, duplex: true }, { copies: 1, colour: true }, { copies: 1, range: '1' }]) expect(same({ copies: 1 }, other)).toBe(false)
  })
})

describe('readRange', () => {
  it.each([
    ['1-3, 5', '1-3,5'],
    ['1-3,5', '1-3,5'],
    [' 2 ', '2'],
    ['1 - 3 ; 5', '1-3,5'],
    ['1–3', '1-3'],
    ['1 à 3 et 5', '1-3,5'],
    ['pages 1 au 3', '1-3'],
    ['1 to 3 and 5', '1-3,5'],
    ['5 1', '5,1'],
    ['12', '12'],
  ])('%s', (text, range) => expect(readRange(text, 12)).toEqual({ range }))

  it.each([
    ['', 'empty'],
    [' , ', 'empty'],
    ['0', 'form'],
    ['abc', 'form'],
    ['1-', 'form'],
    ['-3', 'form'],
    ['1-2-3', 'form'],
    ['1.5', 'form'],
    ['999999', 'form'],
    ['3-1', 'order'],
    ['13', 'beyond'],
    ['1-13', 'beyond'],
    [Array(65).fill('1').join(','), 'form'],
    [Array(64).fill('10-11').join(','), 'form'],
  ])('%s is wrong', (text, wrong) => expect(readRange(text, 12)).toMatchObject({ why: wrong }))
})

it('tells why nothing is printed, by the codes of the press and of the protocol', () => {
  expect(why('encrypted', t())).toMatch(/^Ce document est protégé par un mot de passe/)
  expect(why('print-refused', t())).toBe('L’accueil n’a pas accepté cette impression.')
  for (const none of ['of-tomorrow', undefined]) expect(why(none, t())).toBe('Pas de raison donnée.')
})

describe('a printer that waits for somebody', () => {
  it('says what it needs', () => {
    expect(trouble(['media-low-warning', 'media-empty-error'], t())).toBe('Il n’y a plus de papier dans l’imprimante.')
    for (const unknown of [['of-tomorrow-error'], [], undefined]) expect(trouble(unknown, t())).toBe('L’imprimante demande de l’aide.')
  })
  it('is told in the bar, also before anybody prints', () => {
    expect(inBar({ stage: 'printing', page: 3, of: 12 }, t())).toEqual({ text: 'Impression\u00a0: page 3 sur 12', loud: false })
    expect(inBar({ stage: 'printing', page: 13, of: 12 }, t()).text).toContain('page 12 sur 12')
    expect(inBar({ stage: 'printing' }, t()).text).toBe('Impression en cours…')
    expect(inBar({ stage: 'given', given: 3 }, t())).toEqual({ text: '3 pages non imprimées vous sont rendues', loud: true })
    expect(inBar({ stage: 'printer', reasons: ['media-empty-error'] }, t())).toEqual({ text: 'Imprimante\u00a0: plus de papier. Prévenez l’accueil.', loud: true })
    expect(inBar({ stage: 'printer', reasons: ['offline'] }, t()).text).toContain('ne répond pas')
  })
})

describe('the agent and the page', () => {
  const go = ['view.go', 'print.go'].map((f) => readFileSync(new URL(`../../../../../kiosk/shell/${f}`, import.meta.url), 'utf8')).join('\n')
  it('name the same fields', () => {
    const ts = readFileSync(new URL('../view.ts', import.meta.url), 'utf8')
    const tags = [...go.matchAll(/json:"(\w+)[",]/g)].map((m) => m[1]!)
    expect(tags.length).toBeGreaterThan(60)
    for (const tag of tags.filter((tag) => tag !== 'do')) expect(ts, tag).toMatch(new RegExp(`\\b${tag}\\b`))
    for (const [, d] of go.matchAll(/\sDo\s+= "([a-z-]+)"/g)) expect(ts).toContain(`'${d}'`)
    for (const [, s] of go.matchAll(/\s(?:Screen|PrintStage|BarStage)\s+= "([a-z-]+)"/g)) expect(ts).toContain(`'${s}'`)
  })
  it('leave the same part to the first pages', () => {
    const share = Math.round(Number(/PrintPanel = ([0-9.]+)/.exec(go)![1]) * 100)
    expect(readFileSync(new URL('./Print.svelte', import.meta.url), 'utf8')).toContain(`grid-template-columns: ${share}% ${100 - share}%`)
  })
  it('a print screen without a job says nothing wrong', () => expect(parseView('{"screen":"print"}')?.screen).toBe('starting'))
})
