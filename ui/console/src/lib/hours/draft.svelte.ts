import type { Hours } from '../../api/types.ts'

const most = 200

/** Hours as they are being changed, with the way back. Each change is a new value; nothing is changed in place. */
export class Draft {
  hours = $state.raw<Hours>() as Hours
  #saved = $state('')
  #past = $state.raw<Hours[]>([])
  #future = $state.raw<Hours[]>([])
  #typing = ''
  dirty = $derived(JSON.stringify(this.hours) !== this.#saved)
  canUndo = $derived(this.#past.length > 0)
  canRedo = $derived(this.#future.length > 0)

  constructor(hours: Hours) {
    this.reset(hours)
  }

  /** These are what is saved. */
  reset(hours: Hours): void {
    this.hours = hours
    this.#saved = JSON.stringify(hours)
    this.#past = []
    this.#future = []
    this.#typing = ''
  }

  /** One step; with a name, steps of the same name that follow one another are one: letters that are typed. */
  set(next: Hours, name = ''): void {
    if (next === this.hours) return
    if (!name || name !== this.#typing) this.#past = [...this.#past, this.hours].slice(-most)
    this.#typing = name
    this.#future = []
    this.hours = next
  }

  undo(): void {
    const last = this.#past.at(-1)
    if (!last) return
    this.#future = [...this.#future, this.hours]
    this.#past = this.#past.slice(0, -1)
    this.#typing = ''
    this.hours = last
  }

  redo(): void {
    const again = this.#future.at(-1)
    if (!again) return
    this.#past = [...this.#past, this.hours]
    this.#future = this.#future.slice(0, -1)
    this.#typing = ''
    this.hours = again
  }
}
