import { describe, expect, it } from 'vitest'
import { problemOf } from '../api/client.ts'
import type { Fleet, State, TerminalBrief } from '../api/types.ts'
import { count, recognised, search, sensible, todo, update } from './fleet.ts'
import { positionOf } from './position.ts'
import { parse, to } from './route.svelte.ts'
import { ago, endOf, hhmm, minutesOf, untilMidnight } from './time.ts'

const terminal = (id: string, state: State, more: Partial<TerminalBrief> = {}): TerminalBrief => ({ id, name: id, site: 's1', space: 'p1', state, missing: [], online: true, devices: [], sim: false, waiting: 0, matters: 0, ...more })
const fleet = (...terminals: TerminalBrief[]): Fleet => ({
  sites: [
    { id: 's1', name: 'Collège Geneviève-Anthonioz', kind: 'college', commune: 'Cluses', spaces: [{ id: 'p1', name: 'Hall', open: true, terminals }] },
    { id: 's2', name: 'PMS', kind: 'pms', commune: 'Annecy', spaces: [] },
  ],
})

describe('fleet', () => {
  it('knows a machine that nobody recognised', () => {
    expect(recognised('unknown')).toBe(false)
    expect(recognised('Raspberry Pi 4 Model B Rev 1.5')).toBe(true)
  })
  it('puts what is most pressing first, and what waits longest first among equals', () => {
    const f = fleet(
      terminal('ok', 'free'),
      terminal('off', 'offline'),
      terminal('new', 'out', { since: '2026-11-22T10:00:00Z' }),
      terminal('old', 'out', { since: '2026-11-20T10:00:00Z' }),
      terminal('lock', 'quarantined'),
      terminal('dev', 'free', { devices: [{ name: 'reader', device: 'x', health: 'faulted' }] }),
      terminal('sleeps', 'asleep', { power: { dark: false, wakes: '2026-11-23T06:48:00Z' } }),
      terminal('awake', 'closed', { power: { dark: false, state: 'lit', trouble: 'power-awake', since: '2026-11-22T17:00:00Z' } }),
      terminal('wait', 'waiting', { devices: [{ name: 'reader', device: 'x', health: 'absent' }] }),
    )
    expect(todo(f).map((x) => x.terminal.id)).toEqual(['lock', 'old', 'new', 'off', 'awake', 'dev'])
    expect(count(f)).toMatchObject({ free: 2, out: 2, 'in-use': 0, asleep: 1 })
  })
  it('updates one terminal, and asks for everything when it does not know it', () => {
    const f = fleet(terminal('a', 'free'), terminal('b', 'free'))
    const next = update(f, terminal('b', 'in-use'))!
    expect(next.sites[0]!.spaces[0]!.terminals.map((x) => x.state)).toEqual(['free', 'in-use'])
    expect(f.sites[0]!.spaces[0]!.terminals[1]!.state).toBe('free')
    expect(update(f, terminal('c', 'free'))).toBeUndefined()
    expect(update(f, terminal('a', 'free', { space: 'p2' }))).toBeUndefined()
  })
  it('offers the commands that make sense', () => {
    const all = ['message', 'end', 'wipe', 'quarantine', 'lift', 'identify', 'out', 'back']
    expect(sensible(terminal('a', 'in-use'), all)).toEqual(['message', 'identify', 'end', 'wipe', 'quarantine', 'out'])
    expect(sensible(terminal('a', 'quarantined'), all)).toEqual(['lift', 'message', 'identify', 'wipe', 'out'])
    expect(sensible(terminal('a', 'out'), ['message', 'identify', 'end'])).toEqual(['message', 'identify'])
    expect(sensible(terminal('a', 'waiting'), all)).toEqual([])
  })
  it('keeps awake what is on', () => {
    expect(sensible(terminal('a', 'closed'), ['awake'])).toEqual(['awake'])
    expect(sensible(terminal('a', 'asleep'), ['awake'])).toEqual([])
  })
  it('counts to the midnight of the places', () => {
    expect(untilMidnight(new Date('2026-01-15T17:30:00Z'))).toBe(330)
    expect(untilMidnight(new Date('2026-07-15T21:59:30Z'))).toBe(1)
    expect(untilMidnight(new Date('2026-07-15T22:00:00Z'))).toBe(1440)
  })
  it('searches without accents or case', () => {
    const f = fleet(terminal('Poste É', 'free'), terminal('Autre', 'free'))
    expect(search(f, 'GENEVIEVE')[0]?.spaces[0]?.terminals).toHaveLength(2)
    expect(search(f, 'poste e')[0]?.spaces[0]?.terminals.map((x) => x.name)).toEqual(['Poste É'])
    expect(search(f, 'annecy').map((s) => s.id)).toEqual(['s2'])
    expect(search(f, 'nowhere')).toEqual([])
    expect(search(f, ' ')).toHaveLength(2)
  })
})

describe('route', () => {
  it('reads pages and login tokens from the fragment', () => {
    expect(parse('')).toEqual({ page: 'fleet' })
    expect(parse('#/')).toEqual({ page: 'fleet' })
    expect(parse(to.terminal('a/b é'))).toEqual({ page: 'terminal', id: 'a/b é', part: undefined })
    expect(parse(to.site('s1', 'rules'))).toEqual({ page: 'site', id: 's1', part: 'rules' })
    expect(parse('#/audit')).toEqual({ page: 'audit' })
    expect(parse('#/login/unknown')).toEqual({ page: 'entrance', why: 'unknown' })
    expect(parse('#/attend')).toEqual({ page: 'attend' })
    expect(parse('#/calendars')).toEqual({ page: 'calendars' })
    expect(parse('#/help')).toEqual({ page: 'help' })
    for (const t of ['#3q2-_AAAAAAAAAAAAAAA', '#token=3q2-_AAAAAAAAAAAAAAA', '#login=3q2-_AAAAAAAAAAAAAAA']) expect(parse(t)).toEqual({ page: 'login', token: '3q2-_AAAAAAAAAAAAAAA' })
    for (const bad of ['#/nowhere', '#/terminals', '#/terminals/', '#short', '#/audit/3', '#/terminals/%E0%A4%A']) expect(['unknown', 'terminal']).toContain(parse(bad).page)
    expect(parse('#/terminals/').page).toBe('unknown')
    expect(parse('#/audit/3').page).toBe('unknown')
  })
})

describe('time', () => {
  it('reads and writes times of the day', () => {
    expect(['8', '8h', '8h30', ' 08:30 ', '24:00', '0:05'].map(minutesOf)).toEqual([480, 480, 510, 510, 1440, 5])
    expect(['', 'x', '25:00', '8:70', '24:30', '8:3'].map(minutesOf)).toEqual(Array(6).fill(undefined))
    expect([hhmm(0), hhmm(510), hhmm(1440), hhmm(1500)]).toEqual(['00:00', '08:30', '00:00', '01:00'])
    expect([endOf(480, 720), endOf(1200, 60), endOf(1200, 1440), endOf(480, 480)]).toEqual([720, 1500, 1440, 1920])
  })
  it('says how long ago', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect([ago('2026-11-22T11:59:40Z', now, 'fr'), ago('2026-11-22T11:15:00Z', now, 'fr'), ago('2026-11-21T12:00:00Z', now, 'fr'), ago('', now, 'fr'), ago(undefined, now, 'fr')]).toEqual(['maintenant', 'il y a 45 minutes', 'hier', '', ''])
  })
})

describe('problemOf', () => {
  it('keeps the sentence and the fields of a problem document', () => {
    const p = problemOf(422, '{"detail":"Non.","errors":[{"location":"body.policy.session.minutes","message":"trop"},{"location":"body.text","message":"vide"}]}')
    expect([p.status, p.message, p.wrong]).toEqual([422, 'Non.', [{ at: 'session.minutes', message: 'trop' }, { at: 'text', message: 'vide' }]])
  })
  it('survives anything else', () => {
    for (const text of ['', '<html>', 'null', '{"detail":7}']) expect(problemOf(502, text)).toMatchObject({ status: 502, message: '', wrong: [] })
  })
})

describe('positions', () => {
  it('reads what maps give', () => {
    for (const text of ['45.8992, 6.1294', '45,8992 ; 6,1294', '45.8992 6.1294', '45.8992,6.1294', ' 45,8992, 6,1294 ']) expect(positionOf(text), text).toEqual({ lat: 45.8992, lon: 6.1294 })
    for (const text of ['', '45.9', 'Annecy', '95.1, 6.1', '45.9, 190.0', '45.9, 6.1, 3', '45,6']) expect(positionOf(text), text).toBeUndefined()
  })
})
