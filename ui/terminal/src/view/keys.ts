/** Keys that a browser names otherwise than X does. */
const names: Record<string, string> = {
  Enter: 'Return',
  Backspace: 'BackSpace',
  ArrowUp: 'Up',
  ArrowDown: 'Down',
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
  PageUp: 'Prior',
  PageDown: 'Next',
  Escape: 'Escape',
  Tab: 'Tab',
  Delete: 'Delete',
  Home: 'Home',
  End: 'End',
  Insert: 'Insert',
  ' ': 'space',
}

export interface Press {
  key: string
  ctrlKey: boolean
  altKey: boolean
  metaKey: boolean
  shiftKey: boolean
}

/** What a key press becomes: text, an X key with its modifiers ("ctrl+shift+p"), or nothing. */
export function input(p: Press): { type: 'text'; text: string } | { type: 'key'; key: string } | undefined {
  const single = [...p.key].length === 1
  // AltGr writes a sign of its own: browsers report it as ctrl+alt with that sign.
  const writes = single && !p.metaKey && (!p.ctrlKey || p.altKey) && !(p.altKey && !p.ctrlKey)
  if (writes && p.key !== ' ') return { type: 'text', text: p.key }
  const key = names[p.key] ?? (/^F\d{1,2}$/.test(p.key) ? p.key : single ? p.key.toLowerCase() : undefined)
  if (!key) return
  const mods = [p.ctrlKey && 'ctrl', p.altKey && 'alt', p.shiftKey && 'shift', p.metaKey && 'super'].filter(Boolean)
  return { type: 'key', key: [...mods, key].join('+') }
}

/** A point of the picture in pixels of the screen. */
export function point(at: { x: number; y: number }, box: { left: number; top: number; width: number; height: number }, screen: { width: number; height: number }): { x: number; y: number } {
  const scale = (v: number, from: number, size: number, to: number) => Math.min(to - 1, Math.max(0, Math.floor(((v - from) / size) * to)))
  return { x: scale(at.x, box.left, box.width, screen.width), y: scale(at.y, box.top, box.height, screen.height) }
}
