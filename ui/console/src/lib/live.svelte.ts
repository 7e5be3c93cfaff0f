import { api, Problem, UNREACHABLE } from '../api/client.ts'
import type { Fleet, TerminalBrief } from '../api/types.ts'
import { terminals, update, type Found } from './fleet.ts'

const RETRY_MS = 5000

/** The fleet as it is now: read once, then kept right by the live feed. */
export class Live {
  fleet = $state.raw<Fleet | undefined>()
  lost = $state(false)
  problem = $state.raw<Problem | undefined>()
  /** When the shown figures were right: leftSeconds count down from here. */
  since = $state(Date.now())
  now = $state(Date.now())
  changed = $state(0)
  #source: EventSource | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  start(): () => void {
    this.#stopped = false
    this.#open()
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
    void this.read()
    const s = new EventSource('/api/live')
    this.#source = s
    s.addEventListener('hello', () => {
      if (this.lost) void this.read()
      this.lost = false
    })
    s.addEventListener('terminal', (e) => {
      const t = JSON.parse((e as MessageEvent<string>).data) as TerminalBrief
      this.#seen.set(t.id, Date.now())
      const next = this.fleet && update(this.fleet, t)
      this.changed++
      if (next) this.fleet = next
      else void this.read()
    })
    s.onerror = () => {
      this.lost = true
      // The browser tries again by itself unless the answer was an error.
      if (s.readyState !== EventSource.CLOSED || this.#stopped) return
      this.#timer = setTimeout(() => this.#open(), RETRY_MS)
    }
  }

  async read(): Promise<void> {
    try {
      this.fleet = await api.fleet()
      this.since = Date.now()
      this.#seen.clear()
      this.problem = undefined
    } catch (e) {
      this.problem = e as Problem
      if (this.problem.status === UNREACHABLE) this.lost = true
    }
  }

  #seen = new Map<string, number>()

  /** Seconds left of a session, now. */
  left(t: TerminalBrief): number {
    return Math.max(0, Math.round((t.leftSeconds ?? 0) - (this.now - (this.#seen.get(t.id) ?? this.since)) / 1000))
  }

  find(id: string): Found | undefined {
    return this.fleet && terminals(this.fleet).find((f) => f.terminal.id === id)
  }
}
