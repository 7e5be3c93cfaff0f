/** A style sheet of the page, as a link has it: no sheet, no style. */
export type Sheet = { href: string; sheet: unknown }

/**
 * Waits until every style sheet of the page is there, and asks again for those
 * that are not: without them nobody finds « Terminer », and nothing else of the
 * page would notice. `again` asks for one anew and returns it.
 */
export async function styled<S extends Sheet>(links: S[], again: (link: S, n: number) => Promise<S>): Promise<void> {
  await Promise.all(
    links.map(async (link) => {
      for (let n = 1; !link.sheet; n++) link = await again(link, n)
    }),
  )
}

/** Puts a fresh link in the place of one that failed, after a moment. */
export async function reload(link: HTMLLinkElement, n: number): Promise<HTMLLinkElement> {
  await new Promise((done) => setTimeout(done, Math.min(100 * n, 2000)))
  const next = document.createElement('link')
  next.rel = 'stylesheet'
  next.href = `${link.href.split('?')[0]}?${n}`
  await new Promise((done) => {
    next.onload = next.onerror = done
    link.replaceWith(next)
  })
  return next
}
