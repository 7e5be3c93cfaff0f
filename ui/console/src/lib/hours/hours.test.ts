import { describe, expect, it } from 'vitest'
import type { DayView, Exception, Hours } from '../../api/types.ts'
import { asUsual, cleared, close, copyFrom, differences, openMore, overHolidays, planned, putSeason, setDays, tidy, without, withoutSeason } from './change.ts'
import { addMonths, between, daysOfMonth, monday, next, nthOf, plus, summer, today, valid, weekday } from './days.ts'
import { Draft } from './draft.svelte.ts'
import { markOf } from './mark.ts'
import { cover, cut, merge, paint, pause, quarter, windowOf } from './spans.ts'

const s = (from: number, to: number) => ({ from: from * 60, to: to * 60 })
const week = (day: { from: number; to: number }[] = []) => [[], day, day, day, day, day, []]
const hours = (more: Partial<Hours> = {}): Hours => ({ always: false, weekly: week([s(8, 12), s(13, 17)]), seasons: [], monthly: [], exceptions: [], school: { zone: '', mode: '', weekly: week(), breaks: [] }, public: { mode: '', worked: [] }, duty: week(), guarded: false, agreements: [], meanwhile: '', ...more })
const day = (d: string, spans: { from: number; to: number }[], more: Partial<DayView> = {}, extra: Partial<DayView['spans'][number]> = {}): DayView => ({ day: d, spans: spans.map((x) => ({ ...x, cause: 'weekly', why: '', outside: false, refused: false, ...extra })), cause: 'weekly', why: '', school: '', public: '', ...more })

describe('days', () => {
  it('knows the next Friday, never today', () => {
    expect(next('2026-11-26', 5)).toBe('2026-11-27') // a Thursday
    expect(next('2026-11-27', 5)).toBe('2026-12-04') // a Friday
    expect(next('2026-11-28', 5)).toBe('2026-12-04')
    for (let d = '2027-12-20'; d < '2028-03-10'; d = plus(d, 1)) {
      const f = next(d, 5)
      expect([weekday(f), between(d, f) >= 1 && between(d, f) <= 7]).toEqual([5, true])
    }
  })
  it('knows the first Tuesday and the last Friday of each month', () => {
    expect([nthOf('2026-12-17', 1, 2), nthOf('2026-09-01', 1, 2), nthOf('2027-02-28', 4, 0), nthOf('2027-02-01', -1, 0), nthOf('2027-12-01', -1, 5)]).toEqual(['2026-12-01', '2026-09-01', '2027-02-28', '2027-02-28', '2027-12-31'])
    for (let m = '2026-01-01'; m < '2030-01-01'; m = addMonths(m, 1))
      for (let w = 0; w < 7; w++) {
        const all = daysOfMonth(m).filter((d) => weekday(d) === w)
        expect([1, 2, 3, 4, -1].map((n) => nthOf(m, n, w))).toEqual([all[0], all[1], all[2], all[3], all.at(-1)])
      }
  })
  it('counts across the days when clocks change, and in Paris', () => {
    expect([plus('2027-03-28', 1), plus('2026-10-24', 2), between('2027-03-01', '2027-04-01'), monday('2026-11-29'), monday('2026-11-30')]).toEqual(['2027-03-29', '2026-10-26', 31, '2026-11-23', '2026-11-30'])
    expect([today(Date.parse('2026-11-26T22:59:00Z')), today(Date.parse('2026-11-26T23:00:00Z')), today(Date.parse('2026-07-01T22:00:00Z'))]).toEqual(['2026-11-26', '2026-11-27', '2026-07-02'])
    expect(['2026-02-28', '2028-02-29', '2026-02-29', '2026-13-01', '', '2026-1-1'].map(valid)).toEqual([true, true, false, false, false, false])
  })
  it('offers the summer that comes, or the one that is', () => {
    expect([summer('2026-11-26').from, summer('2027-08-31').from, summer('2027-09-01').to]).toEqual(['2027-07-01', '2027-07-01', '2028-08-31'])
  })
})

describe('spans', () => {
  it('paints and erases, and keeps what lies outside to the minute', () => {
    expect(merge([s(13, 17), s(8, 12), s(12, 13)])).toEqual([s(8, 17)])
    expect(cover([s(8, 12)], 11 * 60, 14 * 60)).toEqual([s(8, 14)])
    expect(cut([{ from: 487, to: 1213 }], 720, 780)).toEqual([{ from: 487, to: 720 }, { from: 780, to: 1213 }])
    expect(cut([s(8, 12)], 480, 720)).toEqual([])
    expect(cut([s(20, 26)], 1380, 1440)).toEqual([s(20, 23), s(24, 26)]) // after midnight it goes on
    const w = paint(week([s(8, 12)]), [0, 3, 4], 720, 840, true)
    expect([w[0], w[1], w[3], w[4]]).toEqual([[s(12, 14)], [s(8, 12)], [s(8, 14)], [s(8, 14)]])
    expect(paint(w, [3], 0, 1440, false)[3]).toEqual([])
  })
  it('goes from the grid to spans and back', () => {
    for (let n = 0; n < 300; n++) {
      const cells = Array.from({ length: 96 }, (_, i) => ((n * 2654435761) >>> (i % 31)) % 3 === 0)
      const spans = cells.reduce((all, on, i) => (on ? cover(all, i * 15, i * 15 + 15) : cut(all, i * 15, i * 15 + 15)), [s(2, 5)])
      expect(cells.map((_, i) => quarter(spans, i * 15) === 'open')).toEqual(cells)
      expect(spans).toEqual(merge(spans))
    }
    expect([quarter([{ from: 487, to: 500 }], 480), quarter([], 480)]).toEqual(['some', 'closed'])
  })
  it('finds the pause of noon', () => {
    expect(pause([s(8, 12), s(14, 17)])).toEqual(s(12, 14))
    expect(pause([s(8, 17)])).toEqual(s(12, 12))
    expect(pause([s(8, 9), s(10, 17)])).toEqual(s(12, 12)) // that is no pause of noon
    expect(windowOf('afternoon', [{ from: 510, to: 750 }, s(14, 17)], s(1, 2))).toEqual({ from: 750, to: 2880 })
    expect([windowOf('day', [], s(1, 2)), windowOf('times', [], s(1, 2))]).toEqual([s(0, 48), s(1, 2)])
  })
})

describe('changes', () => {
  const afternoon = (d: DayView) => windowOf('afternoon', planned(d), s(0, 0))
  it('closes an afternoon', () => {
    const h = close(hours(), [day('2026-11-27', [s(8, 12), s(13, 17)])], afternoon, 'Réunion')
    expect(h.exceptions).toEqual([{ day: '2026-11-27', spans: [s(8, 12)], why: 'Réunion' }])
    expect(h.weekly).toEqual(hours().weekly)
  })
  it('changes nothing where it is closed already', () => {
    const h = hours()
    expect(close(h, [day('2026-11-29', [])], afternoon, 'x')).toBe(h)
    expect(close(h, [day('2026-11-25', [s(8, 12)])], afternoon, 'x')).toBe(h)
  })
  it('closes some days with few exceptions, an opening of the evening too', () => {
    const h = hours({ exceptions: [{ day: '2026-11-27', spans: [s(17, 20)], add: true, why: 'soirée' }] })
    const whole = () => s(0, 48)
    expect(close(h, [day('2026-11-27', [s(8, 17), s(17, 20)]), day('2026-11-28', []), day('2026-11-29', []), day('2026-11-30', [s(8, 17)])], whole, 'pont').exceptions).toEqual([{ day: '2026-11-27', to: '2026-11-30', spans: [], why: 'pont' }])
    expect(close(h, [day('2026-11-27', [s(8, 17)]), day('2026-11-28', [])], afternoon, '').exceptions).toEqual([{ day: '2026-11-27', spans: [s(8, 12)], why: '' }])
  })
  it('takes days out of a longer exception', () => {
    const e: Exception = { day: '2026-12-21', to: '2026-12-31', spans: [], why: 'congés' }
    expect(cleared([e], '2026-12-24', '2026-12-25')).toEqual([{ ...e, to: '2026-12-23' }, { ...e, day: '2026-12-26' }])
    expect(cleared([e], '2026-12-21', '2026-12-30')).toEqual([{ day: '2026-12-31', spans: [], why: 'congés' }])
    expect(cleared([e], '2026-12-01', '2026-12-20')).toEqual([e])
    const h = setDays(hours({ exceptions: [e] }), '2026-12-24', '2026-12-24', [s(8, 10), s(9, 12)], 'ouvert')
    expect(h.exceptions.map((x) => [x.day, x.to, x.spans.length])).toEqual([['2026-12-21', '2026-12-23', 0], ['2026-12-24', undefined, 1], ['2026-12-25', '2026-12-31', 0]])
    expect(asUsual(h, '2026-12-01', '2026-12-31').exceptions).toEqual([])
    expect(without(h, 'exceptions', 1).exceptions).toHaveLength(2)
  })
  it('opens besides, in the order of days', () => {
    const h = openMore(hours({ exceptions: [{ day: '2026-12-25', spans: [], why: '' }] }), '2026-12-01', [s(17, 20)], 'soirée')
    expect(h.exceptions.map((e) => [e.day, !!e.add])).toEqual([['2026-12-01', true], ['2026-12-25', false]])
  })
  it('lets a season hold in school holidays as well, and go with all that it made', () => {
    const closing = { day: '2027-07-06', spans: [], why: 'travaux' }
    const evening = { day: '2027-07-08', spans: [s(18, 20)], add: true, why: 'soirée' }
    const h = hours({ school: { zone: 'A', mode: 'closed', weekly: week(), breaks: [{ name: 'Été', from: '2027-07-03', to: '2027-08-31' }] }, exceptions: [closing, evening] })
    const mornings = { name: 'été', from: '2027-06-28', to: '2027-07-15', weekly: week([s(9, 12)]) }
    const got = overHolidays(putSeason(h, mornings), mornings, (d) => d === '2027-07-14')
    const of = (day: string, to?: string) => ({ day, ...(to ? { to } : {}), spans: [s(9, 12)], why: 'été' })
    expect(got.exceptions).toEqual([of('2027-07-05'), closing, of('2027-07-07', '2027-07-09'), evening, of('2027-07-12', '2027-07-13'), of('2027-07-15')])
    expect(withoutSeason(got, 0)).toEqual(h)
    expect(putSeason(got, { ...mornings, to: '2027-07-02' }, 0).exceptions).toEqual([closing, evening])
  })
  it('tells the days that differ, agreements counted', () => {
    const before = [day('2026-11-27', [s(8, 17)]), day('2026-11-28', []), day('2026-12-01', [s(8, 17)])]
    const after = [day('2026-11-27', [s(8, 12)]), day('2026-11-28', [s(8, 9)], {}, { refused: true }), day('2026-12-01', [s(8, 12), s(12, 17)])]
    expect(differences(before, after).map((d) => d.day)).toEqual(['2026-11-27'])
  })
  it('keeps who agreed when hours are copied', () => {
    const a = { from: '2026-01-01', to: '2026-12-31', by: 'Mme Ours', suspended: false }
    const mine = hours({ agreements: [a], meanwhile: 'mairie', guarded: true, exceptions: [{ day: '2026-12-25', spans: [], why: '' }] })
    const got = copyFrom(mine, hours({ weekly: week([s(9, 10)]) }), false)
    expect([got.agreements, got.meanwhile, got.guarded, got.exceptions.length, got.weekly[1]]).toEqual([[a], 'mairie', true, 1, [s(9, 10)]])
    expect(copyFrom(mine, hours(), true).exceptions).toEqual([])
    const staffed = hours({ duty: week([s(8, 18)]) })
    expect([copyFrom({ ...mine, duty: week([s(8, 17)]) }, staffed, true).duty[1], copyFrom(hours(), staffed, true).duty[1]]).toEqual([[s(8, 17)], [s(8, 18)]])
  })
  it('reads lists that nobody made', () => {
    const raw = JSON.parse('{"always":false,"weekly":[null,null,null,null,null,null,null],"seasons":null,"monthly":null,"exceptions":null,"school":{"zone":"A","mode":"","weekly":null,"breaks":null},"public":{"mode":"closed","worked":null},"duty":null,"guarded":false,"agreements":null,"meanwhile":""}') as Hours
    const h = tidy(raw)
    expect([h.weekly.length, h.duty[6], h.exceptions, h.public.worked, h.school.weekly[0]]).toEqual([7, [], [], [], []])
  })
})

describe('the year', () => {
  it('marks the one thing worth knowing of a day', () => {
    expect(markOf(day('2026-11-26', [s(8, 17)]))).toEqual({ open: true, reason: '' })
    expect(markOf(day('2026-12-25', [], { cause: 'public', public: 'Noël', school: 'Vacances de Noël' }))).toEqual({ open: false, reason: 'public' })
    expect(markOf(day('2026-12-24', [s(8, 12)], { cause: 'exception', school: 'Vacances de Noël' }))).toEqual({ open: true, reason: 'changed' })
    expect(markOf(day('2026-12-01', [s(17, 20)], {}, { cause: 'monthly' }))).toEqual({ open: true, reason: 'more' })
    expect(markOf(day('2026-12-01', [s(17, 20)], {}, { refused: true }))).toEqual({ open: false, reason: 'refused' })
    expect(markOf(day('2026-12-22', [], { cause: 'school', school: 'Vacances de Noël' }))).toEqual({ open: false, reason: 'school' })
  })
})

describe('the draft', () => {
  it('goes back and forth, and knows when nothing is left to save', () => {
    const a = hours()
    const d = new Draft(a)
    expect([d.dirty, d.canUndo]).toEqual([false, false])
    d.set({ ...a, meanwhile: 'm' }, 'meanwhile')
    d.set({ ...a, meanwhile: 'ma' }, 'meanwhile')
    d.set({ ...a, always: true })
    expect([d.dirty, d.hours.always]).toEqual([true, true])
    d.undo()
    expect(d.hours.meanwhile).toBe('ma')
    d.undo() // letters that are typed are one step
    expect([d.hours, d.dirty, d.canUndo, d.canRedo]).toEqual([a, false, false, true])
    d.redo()
    d.redo()
    expect(d.hours.always).toBe(true)
    d.undo()
    d.set({ ...a, guarded: true })
    expect(d.canRedo).toBe(false)
    d.reset(d.hours)
    expect([d.dirty, d.canUndo]).toEqual([false, false])
  })
})
