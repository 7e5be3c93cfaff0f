import { parseView, type Do, type View, type With } from './view.ts'

/** What a link needs of a socket; the browser's WebSocket has it. */
export interface Socket {
  readyState: number
  send(data: string): void
  close(): void
  onopen: ((e: Event) => void) | null
  onmessage: ((e: MessageEvent) => void) | null
  onclose: ((e: CloseEvent) => void) | null
}

export interface LinkParts {
  open: () => Socket
  later: (run: () => void, ms: number) => unknown
  view: (v: View) => void
  up: (connected: boolean) => void
}

const OPEN = 1
const FIRST_WAIT = 250
const MAX_WAIT = 5000

/** Keeps one socket to the agent: it comes back by itself, waiting a little longer each time. */
export class Link {
  #parts: LinkParts
  #socket: Socket | undefined
  #wait = FIRST_WAIT

  constructor(parts: LinkParts) {
    this.#parts = parts
    this.#connect()
  }

  #connect(): void {
    const s = this.#parts.open()
    this.#socket = s
    s.onopen = () => {
      this.#parts.up(true)
    }
    s.onmessage = (e) => {
      const v = parseView(e.data)
      if (!v) return
      this.#wait = FIRST_WAIT // only a view proves that the agent is well
      this.#parts.view(v)
    }
    s.onclose = () => {
      if (this.#socket !== s) return
      this.#parts.up(false)
      this.#parts.later(() => this.#connect(), this.#wait)
      this.#wait = Math.min(this.#wait * 2, MAX_WAIT)
    }
  }

  /** Sends what a person did. Without a link it is dropped: a late press must not act on another screen. */
  act(what: Do, more: With = {}): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify({ do: what, ...more }))
  }
}
