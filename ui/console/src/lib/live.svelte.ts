import { api, Problem, UNREACHABLE } from '../api/client.ts'
import type { Fleet, TerminalBrief } from '../api/types.ts'
import { terminals, update, type Found } from './fleet.ts'

const RETRY_MS = 5000

/** The fleet as it is now: read at each "hello" of the live feed, then kept right by its events. */
export class Live {
  fleet = $state.raw<Fleet | undefined>()
  lost = $state(false)
  problem = $state.raw<Problem | undefined>()
  now = $state(Date.now())
  #source: EventSource | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = true
  /** When a terminal's figures were right: leftSeconds count down from there. */
  #seen = new Map<string, number>()
  #since = Date.now()
  /** Events that came while the fleet was being read: they may be newer than the answer. */
  #during: TerminalBrief[] | undefined
  #again = false

  /** Without a feed the fleet is read once: heads see hours, and no terminal. */
  start(feed = true): () => void {
    this.#stopped = false
    if (feed) this.#open()
    else void this.read()
    const tick = setInterval(() => (this.now = Date.now()), 1000)
    return () => {
      this.#stopped = true
      this.#source?.close()
      clearTimeout(this.#timer)
      clearInterval(tick)
      this.fleet = undefined // whoever comes next must not see it
    }
  }

  #open(): void {
    const s = new EventSource('/api/live')
    this.#source = s
    // Whoever gets hello reads everything: what changed before it is in that answer.
    s.addEventListener('hello', () => {
      this.lost = false
      void this.read()
    })
    s.addEventListener('terminal', (e) => {
      const t = JSON.parse((e as MessageEvent<string>).data) as TerminalBrief
      this.#during?.push(t)
      this.#place(t)
    })
    s.onerror = () => {
      this.lost = true
      if (!this.fleet) void this.read() // without a feed the page still shows what it can
      // The browser tries again by itself unless the answer was an error.
      if (s.readyState !== EventSource.CLOSED || this.#stopped) return
      this.#timer = setTimeout(() => this.#open(), RETRY_MS)
    }
  }

  #place(t: TerminalBrief): void {
    if (!this.fleet) return
    this.#seen.set(t.id, Date.now())
    const next = update(this.fleet, t)
    if (next) this.fleet = next
    else if (!this.#during) void this.read()
  }

  /** Reads everything; asked again meanwhile, it reads once more afterwards. */
  async read(): Promise<void> {
    if (this.#during) {
      this.#again = true
      return
    }
    this.#during = []
    try {
      const fleet = await api.fleet()
      const during = this.#during
      this.#during = undefined
      if (this.#stopped) return
      this.fleet = fleet
      this.#since = Date.now()
      this.#seen.clear()
      this.problem = undefined
      for (const t of during) if (update(fleet, t)) this.#place(t)
    } catch (e) {
      this.#during = undefined
      this.problem = e as Problem
      if (this.problem.status === UNREACHABLE) this.lost = true
    }
    if (this.#again) {
      this.#again = false
      await this.read()
    }
  }

  /** Seconds left of a session, now. */
  left(t: TerminalBrief): number {
    return Math.max(0, Math.round((t.leftSeconds ?? 0) - (this.now - (this.#seen.get(t.id) ?? this.#since)) / 1000))
  }

  find(id: string): Found | undefined {
    return this.fleet && terminals(this.fleet).find((f) => f.terminal.id === id)
  }
}
