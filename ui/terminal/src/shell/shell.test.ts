import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Link, type Socket } from './link.ts'
import { leftNow, minutesOf, when } from './time.ts'
import { translator } from '../../../shared/i18n/format.ts'
import type { Key } from '../../../shared/i18n/keys.ts'
import { languages, Words } from './words.svelte.ts'
import { helped, helper, helpInBar, helpLine, identifyIn, parseView, privacy, type Help, type View } from './view.ts'

const words = new Words()
await Promise.all(languages.map((l) => words.bring(l)))
const spoken = words.spoken

class FakeSocket implements Socket {
  readyState = 0
  sent: string[] = []
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  send(data: string) {
    this.sent.push(data)
  }
  close() {}
  opens() {
    this.readyState = 1
    this.onopen?.(new Event('open'))
  }
  says(data: string) {
    this.onmessage?.({ data } as MessageEvent)
  }
  drops() {
    this.readyState = 3
    this.onclose?.({} as CloseEvent)
  }
}

function setup() {
  const sockets: FakeSocket[] = []
  const waits: number[] = []
  const views: View[] = []
  const ups: boolean[] = []
  let next: () => void = () => {}
  const link = new Link({
    open: () => {
      sockets.push(new FakeSocket())
      return sockets.at(-1)!
    },
    later: (run, ms) => {
      waits.push(ms)
      next = run
    },
    view: (v) => views.push(v),
    up: (u) => ups.push(u),
  })
  return { link, sockets, waits, views, ups, retry: () => next() }
}

describe('Link', () => {
  it('comes back by itself, waits longer each time, and starts over after a view', () => {
    const s = setup()
    for (let i = 0; i < 7; i++) {
      s.sockets.at(-1)!.drops()
      s.retry()
    }
    expect(s.waits).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000])
    s.sockets.at(-1)!.opens()
    s.sockets.at(-1)!.says('{"screen":"welcome","lang":"fr"}')
    s.sockets.at(-1)!.drops()
    expect(s.waits.at(-1)).toBe(250)
    expect(s.views[0]?.screen).toBe('welcome')
    expect(s.ups.slice(-2)).toEqual([true, false])
  })
  it('sends actions on an open socket only: a late press acts on nothing', () => {
    const s = setup()
    s.link.act('end')
    s.sockets[0]!.opens()
    s.link.act('lang', { lang: 'en' })
    s.link.act('print-set', { job: 'j1', print: { copies: 2, range: '1-3' } })
    expect(s.sockets[0]!.sent).toEqual(['{"do":"lang","lang":"en"}', '{"do":"print-set","job":"j1","print":{"copies":2,"range":"1-3"}}'])
  })
})

describe('parseView', () => {
  it('refuses what is no view, and says nothing wrong on a screen of tomorrow', () => {
    for (const bad of ['', 'x', '3', 'null', '{}', '{"screen":7}', new ArrayBuffer(2)]) expect(parseView(bad)).toBeUndefined()
    expect(parseView('{"screen":"hologram"}')?.screen).toBe('starting')
    expect(parseView('{"screen":"closed"}')?.place.terminal).toBe('')
  })
})

describe('time', () => {
  it('counts down from when the view came, never below nothing', () => {
    expect([leftNow(60, -400), leftNow(60, 0), leftNow(60, 900), leftNow(60, 59_001), leftNow(60, 90_000)]).toEqual([60, 60, 60, 1, 0])
    expect([minutesOf(0), minutesOf(59), minutesOf(60), minutesOf(61), minutesOf(1920)]).toEqual([0, 0, 1, 2, 32])
  })
  it('says when in the words of Paris, whatever the zone of the machine', () => {
    const now = new Date('2026-11-22T21:30:00Z') // 22:30 in Paris
    expect(when('2026-11-22T22:15:00Z', now, 'fr')).toEqual({ key: 'terminal.closed.today', time: '23\u00a0h\u00a015' })
    expect(when('2026-11-23T08:00:00+01:00', now, 'fr')).toEqual({ key: 'terminal.closed.tomorrow', time: '8\u00a0h' })
    expect(when('2026-11-25T08:30:00+01:00', now, 'fr')).toEqual({ key: 'terminal.closed.day', day: 'mercredi 25 novembre', time: '8\u00a0h\u00a030' })
    expect(when('2026-03-29T08:00:00+02:00', new Date('2026-03-28T12:00:00Z'), 'fr')?.key).toBe('terminal.closed.tomorrow') // the clocks change that night
    for (const none of [undefined, '', 'soon', '2026-11-22T20:00:00Z']) expect(when(none, now, 'fr')).toBeUndefined()
  })
})

describe('what a view promises', () => {
  const view = (more: object) => parseView(JSON.stringify({ screen: 'charter', ...more }))!
  it('tells who comes with a badge what is kept of it', () => {
    expect(privacy(view({ charter: { minutes: 45, pages: 0, badge: true } }))).toBe('terminal.charter.privacy.badge')
    expect(privacy(view({ charter: { minutes: 45, pages: 0, badge: false } }))).toBe('terminal.charter.privacy')
    expect(privacy(view({ charter: { minutes: 45, pages: 0 } }))).toBe('terminal.charter.privacy')
  })
  it("names the place's contact, or the desk", () => {
    expect(helper(view({ place: { site: 'S', space: 'H', terminal: 'P', help: 'Loge du gardien' } }))).toBe('terminal.help.ask')
    expect(helper(view({ place: { site: 'S', space: 'H', terminal: 'P' } }))).toBe('terminal.help.desk')
  })
})

describe('the name that staff asked for', () => {
  it('never hides that the terminal is blocked or out of service', () => {
    for (const screen of ['quarantined', 'broken', 'maintenance'] as const) expect(identifyIn(screen)).toBe('band')
    expect(identifyIn('session')).toBe('bar')
    for (const screen of ['welcome', 'closed', 'thanks'] as const) expect(identifyIn(screen)).toBe('whole')
  })
})

describe('a refused site', () => {
  it('is told by its category, in each language', () => {
    const said = ['fr', 'fr-x-facile', 'en'].map((lang) => {
      const t = translator<any>(spoken, lang)
      return t('terminal.bar.refused', { category: t.code('lists.', 'adult', 'lists.other') })
    })
    expect(said).toEqual(['Ce site ne s’ouvre pas sur cet ordinateur : site pour adultes.', 'Ce site est fermé sur cet ordinateur : site pour adultes.', 'This site does not open on this computer: site for adults.'])
    const t = translator<any>(spoken, 'fr')
    expect(t.code('lists.', 'a-new-one', 'lists.other')).toBe('protection des usagers')
  })
})

describe('a call for help', () => {
  const t = translator<Key>(spoken, 'fr')
  const all = (h: Help) => [helpLine(h, t), helpInBar(h, t)]
  it('tells who comes, and another way when nobody answers', () => {
    expect(all({ state: 'coming', phone: '04 50' })).toEqual(['Une personne arrive.', 'Une personne arrive.'])
    expect(all({ state: 'asked' }).join()).not.toContain('téléphon')
    for (const state of ['late', 'offline'] as const) {
      for (const s of all({ state, phone: '04 50 00' })) expect(s).toContain('04\u00a050\u00a000')
      for (const s of all({ state })) expect(s).toMatch(/accueil/)
    }
  })
  it('can be made wherever somebody can be stuck', () => {
    // The bar and the page about a print have a button of their own. Nobody is before a terminal that starts, opens or wipes
    // for longer than a moment; at a closed place nobody would come; the staff's menu is the staff's.
    for (const screen of ['welcome', 'charter', 'warning', 'thanks', 'quarantined', 'broken', 'updating', 'maintenance'] as const) expect(helped).toContain(screen)
    for (const file of ['Bar.svelte', 'Help.svelte']) expect(readFileSync(new URL(file, import.meta.url), 'utf8')).toContain('data-do="help"')
    expect(readFileSync(new URL('print/Print.svelte', import.meta.url), 'utf8')).toContain('<Help ')
  })
  it('stands, whatever a newer agent calls it', () => {
    expect(helpLine({ state: 'dreaming' } as unknown as Help, t)).toBe(t('terminal.help.asked'))
  })
})
