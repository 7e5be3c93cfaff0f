/** When staff's page sounds: once for each call, then now and then until somebody answers, and not for ever. */
export const EVERY_MS = 20_000
export const MOST = 6

/** How often a call has sounded, and when last; by its id and how often the person pressed. */
export type Rung = Map<string, { times: number; last: number }>

/** Whether it is to sound now; it takes note of it in rung. */
export function due(waiting: readonly { id: string; times: number }[], rung: Rung, now: number): boolean {
  const key = (c: { id: string; times: number }) => `${c.id} ${c.times}`
  const there = new Set(waiting.map(key))
  for (const k of rung.keys()) if (!there.has(k)) rung.delete(k)
  let sounds = false
  for (const k of there) {
    const r = rung.get(k) ?? { times: 0, last: -Infinity }
    if (r.times >= MOST || now - r.last < EVERY_MS) continue
    rung.set(k, { times: r.times + 1, last: now })
    sounds = true
  }
  return sounds
}

/** Two soft notes, made here: no file, no request. */
export function play(audio: AudioContext): void {
  for (const [i, hertz] of [659.25, 880].entries()) {
    const at = audio.currentTime + i * 0.22
    const note = audio.createOscillator()
    const loud = audio.createGain()
    note.frequency.value = hertz
    loud.gain.setValueAtTime(0, at)
    loud.gain.linearRampToValueAtTime(0.12, at + 0.03)
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.6)
    note.connect(loud).connect(audio.destination)
    note.start(at)
    note.stop(at + 0.62)
  }
}
