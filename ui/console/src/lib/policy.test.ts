import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'

vi.stubGlobal('localStorage', { getItem: () => 'fr', setItem: () => {} }) // the words ask for the language chosen
const { labelOf, levelHref, originsOf, say, sayDifference, sectionName } = await import('./policy.ts')

interface Schema {
  $ref?: string
  properties?: Record<string, Schema>
}
const schemas = (JSON.parse(readFileSync(new URL('../api/openapi.json', import.meta.url), 'utf8')) as { components: { schemas: Record<string, Schema> } }).components.schemas

/** The paths of all values that a policy may hold. */
function paths(name: string, at: string): string[] {
  return Object.entries(schemas[name]?.properties ?? {}).flatMap(([k, v]) => {
    const path = at ? `${at}.${k}` : k
    const below = v.$ref?.split('/').pop()
    return below && schemas[below]?.properties ? paths(below, path) : [path]
  })
}

describe('the words of rules', () => {
  it('names every value and every section of the API, and no path is shown', () => {
    const all = paths('Policy', '').filter((p) => p !== 'version' && !p.startsWith('hours.'))
      .filter((p) => !/^(notice\.(number|since|keep)|help\.places)\b/.test(p)) // the controller writes these; no layer has them
    expect(all.length).toBeGreaterThan(50)
    expect(all.filter((p) => labelOf(p) === p)).toEqual([])
    expect([...new Set(all.map((p) => p.split('.')[0]!))].filter((s) => sectionName(s) === s)).toEqual([])
  })

  it('says what values are', () => {
    expect(say('session.minutes', 45)).toBe('45 minutes')
    expect(say('web.camera', false)).toMatch(/^(non|no)$/)
    expect(say('keyboard.variant', '')).toMatch(/^(rien|nothing)$/)
    expect(say('network.pac', 'x'.repeat(300))).toHaveLength(78)
  })

  it('tells lists by what came and what went', () => {
    const d = sayDifference({ path: 'web.allowed', before: ['a.fr', 'b.fr'], after: ['b.fr', 'c.fr'] })
    expect([d.added, d.removed, d.order, d.after]).toEqual([['c.fr'], ['a.fr'], false, ''])
    expect(sayDifference({ path: 'web.allowed', before: ['a.fr', 'b.fr'], after: ['b.fr', 'a.fr'] }).order).toBe(true)
    expect(sayDifference({ path: 'session.warnMinutes', before: [10, 5], after: [5] }).after).toBe('5')
  })
})

describe('where values come from', () => {
  const levels = [
    { level: 'global' as const, id: '', name: 'Département' },
    { level: 'site' as const, id: 'a', name: 'Collège' },
    { level: 'space' as const, id: 'h', name: 'Hall' },
    { level: 'terminal' as const, id: 't 1', name: 'Poste 1' },
  ]
  it('takes the values of one section only', () => {
    const by = originsOf({ 'web.camera': 'site', 'web.uploads': '', 'webx.y': 'global', languages: 'global' }, 'web')
    expect([...by]).toEqual([['site', ['web.camera']], ['', ['web.uploads']]])
    expect([...originsOf({ languages: 'global' }, 'languages')]).toEqual([['global', ['languages']]])
  })
  it('leads to the page where each is changed', () => {
    expect(['global', 'site', 'space', 'terminal', ''].map((l) => levelHref(levels, l))).toEqual(['#/rules', '#/sites/a/rules', '#/sites/a/h', '#/terminals/t%201/rules', ''])
  })
})
