/** A page that nobody touches for a minute goes back by itself: the next person finds the first screen. */
export function later(node: HTMLElement, back: () => void) {
  const most = 60_000
  let timer = setTimeout(back, most)
  const again = () => {
    clearTimeout(timer)
    timer = setTimeout(back, most)
  }
  const signs = ['pointerdown', 'pointermove', 'keydown', 'wheel'] as const
  for (const s of signs) node.addEventListener(s, again, { passive: true })
  return {
    destroy() {
      clearTimeout(timer)
      for (const s of signs) node.removeEventListener(s, again)
    },
  }
}
