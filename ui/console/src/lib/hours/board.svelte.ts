import { api, Problem } from '../../api/client.ts'
import type { DayView, Hours, HoursChange, HoursView, Preview } from '../../api/types.ts'
import { t } from '../words.svelte.ts'
import { opening, tidy } from './change.ts'
import { addMonths, between, firstOfMonth, plus, today, type Day } from './days.ts'
import { Draft } from './draft.svelte.ts'
import { same } from './spans.ts'

/** The days that the year shows: twelve months and what the last week needs. */
const YEAR = 373

/** One place's hours: what is saved, what is being changed, and what comes of it. */
export class Board {
  view = $state.raw<HoursView>()
  draft = $state.raw<Draft>()
  problem = $state.raw<Problem>()
  saving = $state(false)
  /** Why, in the person’s words: it goes with what is saved next. */
  note = $state('')
  /** What just happened, for everybody: seen, and read out. */
  said = $state('')
  /** The last thing that was saved can be taken back from where it is said. */
  fresh = $state(false)
  changes = $state.raw<HoursChange[]>([])
  more = $state.raw<Problem>()
  /** The first month that the year shows. What comes next is always known. */
  from = $state<Day>(firstOfMonth(today(Date.now())))
  preview = $state.raw<Preview>()
  lost = $state.raw<Problem>()
  #days = $state.raw(new Map<Day, DayView>())
  #saved = $state.raw(new Map<Day, DayView>())
  #base = this.from
  #etag = ''
  #asked = 0
  #savedFor = ''

  /** The place's own path in the API. */
  constructor(readonly at: string) {}

  #show(v: HoursView, etag: string): void {
    const hours = tidy(v.hours)
    this.view = { ...v, hours }
    this.#etag = etag || `"${v.rev}"`
    if (this.draft) this.draft.reset(hours)
    else this.draft = new Draft(hours)
  }

  async load(): Promise<void> {
    this.problem = undefined
    try {
      const a = await api.hours(this.at)
      this.#show(a.body, a.etag)
    } catch (e) {
      this.problem = e as Problem
      return
    }
    await this.history()
  }

  /** Whether it is open now, without touching what is being changed. */
  async renew(): Promise<void> {
    try {
      const { open, until, cause, why } = (await api.hours(this.at)).body
      if (this.view) this.view = { ...this.view, open, until, cause, why }
    } catch {
      // What is said now is a little old: the next answer mends it.
    }
  }

  async history(): Promise<void> {
    try {
      this.changes = await api.hoursChanges(this.at)
      this.more = undefined
    } catch (e) {
      this.more = e as Problem
    }
  }

  /** Works the year out anew; of answers that cross one another the last question's counts. */
  async look(): Promise<void> {
    if (!this.draft || !this.view) return
    const asked = ++this.#asked
    const { hours, dirty } = this.draft
    const saved = `${this.view.rev} ${this.from}`
    const windows = [...new Set([this.#base, this.from])]
    const ask = (h: Hours) => Promise.all(windows.map((from) => api.previewHours(this.at, h, from, YEAR)))
    const daysOf = (all: Preview[]) => new Map(all.flatMap((p) => p.days.map((d) => [d.day, d] as const)))
    try {
      const [now, was] = await Promise.all([ask(hours), dirty && this.#savedFor !== saved ? ask(this.view.hours) : undefined])
      if (asked !== this.#asked) return
      this.preview = now[0]
      this.#days = daysOf(now)
      this.lost = undefined
      if (was || !dirty) {
        this.#saved = daysOf(was ?? now)
        this.#savedFor = saved
      }
    } catch (e) {
      if (asked === this.#asked) this.lost = e as Problem
    }
  }

  turn(months: number): void {
    this.from = addMonths(this.from, months)
  }

  /** A day by the hours as they are being changed; undefined before it is known. */
  day(day: Day): DayView | undefined {
    return this.#days.get(day)
  }

  /** The same day as it is saved. */
  saved(day: Day): DayView | undefined {
    return this.#saved.get(day)
  }

  /** Whether a day is open at other times than what is saved. */
  altered(day: Day): boolean {
    const [a, b] = [this.day(day), this.saved(day)]
    return !!this.draft?.dirty && !!a && !!b && !same(opening(a), opening(b))
  }

  /** What hours make of some days. */
  peek(hours: Hours, from: Day, days: number): Promise<Preview> {
    return api.previewHours(this.at, hours, from, days)
  }

  /** Some days by the hours as they are being changed. */
  async days(from: Day, to: Day): Promise<DayView[]> {
    const n = between(from, to) + 1
    const have = Array.from({ length: n }, (_, i) => this.saved(plus(from, i))).filter((d) => d !== undefined)
    return have.length === n && !this.draft?.dirty && this.#savedFor.startsWith(`${this.view?.rev} `) ? have : (await this.peek(this.draft!.hours, from, n)).days
  }

  /** Saves; over: somebody else's change is read for its version only, and replaced knowingly. */
  async save(hours: Hours = this.draft!.hours, over = false): Promise<boolean> {
    return this.#send(async () => {
      if (over) this.#etag = (await api.hours(this.at)).etag
      const note = this.note.trim()
      return api.putHours(this.at, this.#etag, { hours, inherit: false, ...(note ? { note } : {}) })
    }, t('console.hours.saved'))
  }

  /** A space gives its own hours up. */
  follow(): Promise<boolean> {
    return this.#send(() => api.putHours(this.at, this.#etag, { hours: this.view!.hours, inherit: true }), t('console.hours.follows'))
  }

  /** Goes back to what held before a change. */
  revert(id: string): Promise<boolean> {
    return this.#send(() => api.undoHours(this.at, this.#etag, id), t('console.hours.reverted'), false)
  }

  async #send(send: () => Promise<{ body: HoursView; etag: string }>, said: string, fresh = true): Promise<boolean> {
    this.saving = true
    this.said = ''
    this.fresh = false
    try {
      const a = await send()
      this.#show(a.body, a.etag)
      this.problem = undefined
      this.note = ''
      await this.history()
      this.said = said
      this.fresh = fresh && this.changes.length > 0
      return true
    } catch (e) {
      this.problem = e as Problem
      return false
    } finally {
      this.saving = false
    }
  }
}
