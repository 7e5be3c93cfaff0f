import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compile, compileCatalogue } from './compile.ts'
import { fallbacks, format, translator } from './format.ts'

const read = (lang: string) => JSON.parse(readFileSync(new URL(`../../catalogues/${lang}.json`, import.meta.url), 'utf8')) as Record<string, string>
const run = (message: string, lang: string, args?: Record<string, string | number>) => format(compile('k', message), lang, args)

describe('format', () => {
  it('counts as each language does', () => {
    const m = '{n, plural, =0 {rien} one {# page} other {# pages}}'
    expect([0, 1, 2, 1500].map((n) => run(m, 'fr', { n }))).toEqual(['rien', '1 page', '2 pages', '1\u202f500 pages'])
    const bare = '{n, plural, one {# page} other {# pages}}'
    expect([run(bare, 'fr', { n: 0 }), run(bare, 'en', { n: 0 }), run(bare, 'fr-x-facile', { n: 1 })]).toEqual(['0 page', '0 pages', '1 page'])
  })
  it('fills values, selects and nested choices', () => {
    expect(run('{who} : {s, select, a {A {n, plural, one {une} other {#}}} other {autre}}', 'fr', { who: 'Zoé', s: 'a', n: 1 })).toBe('Zoé : A une')
    expect(run('{who}', 'fr')).toBe('{who}')
    expect(run("l'eau '{brut}'", 'fr')).toBe("l'eau {brut}")
  })
  it('refuses what the pages cannot show', () => {
    for (const bad of ['{n, plural, one {x}}', '{d, date}', '{n, selectordinal, other {x}}', '{', '{n, plural, offset:1 other {x}}']) expect(() => compile('key.name', bad), bad).toThrow(/key\.name/)
  })
})

describe('translator', () => {
  const t = translator({ fr: { a: 'un', b: 'deux', 'reason.x': 'parce que', none: 'rien' }, 'fr-x-facile': { a: 'UN' } }, 'fr-x-facile')
  it('falls back to the parent, then to the key', () => {
    expect([t('a'), t('b'), t('c')]).toEqual(['UN', 'deux', 'c'])
    expect(fallbacks('fr-x-facile')).toEqual(['fr-x-facile', 'fr'])
    expect(fallbacks('de-AT')).toEqual(['de-AT', 'de', 'fr'])
  })
  it('has a sentence for a code of tomorrow', () => {
    expect([t.code('reason.', 'x', 'none'), t.code('reason.', 'new', 'none'), t.code('reason.', undefined, 'none')]).toEqual(['parce que', 'rien', 'rien'])
  })
})

it('every message of every language compiles', () => {
  for (const lang of ['fr', 'en', 'fr-x-facile']) expect(Object.keys(compileCatalogue(read(lang), [])).length).toBeGreaterThan(100)
  expect(Object.keys(compileCatalogue(read('fr'), ['terminal'])).every((k) => k.startsWith('terminal.'))).toBe(true)
})
