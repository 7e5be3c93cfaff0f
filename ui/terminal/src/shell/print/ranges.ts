/** What is wrong with the pages that somebody typed, as the end of a key "terminal.print.pages.…", and what the sentence names. */
export interface Wrong {
  why: 'empty' | 'form' | 'order' | 'beyond'
  args?: Record<string, number>
}

const MAX_PARTS = 64 // printjob.MaxRanges
const MAX_LENGTH = 120 // of an action's range: kiosk/shell

/**
 * Reads pages as people write them ("1 à 3 et 5", "1–3;5") and writes them as the
 * agent reads them ("1-3,5"); or says what is wrong. Every page is asked for by a
 * choice of its own, so nothing at all is wrong here.
 */
export function readRange(text: string, pages: number): { range: string } | Wrong {
  const plain = text
    .toLowerCase()
    .replace(/[‐-―−]/g, '-')
    .replace(/pages?|p\./g, ' ')
    .replace(/(\d)\s*(?:-|à|au?|to)\s*(?=\d)/g, '$1-')
    .replace(/et|and|&/g, ',')
  const parts = plain.split(/[\s,;]+/).filter(Boolean)
  if (parts.length === 0) return { why: 'empty' }
  if (parts.length > MAX_PARTS) return { why: 'form' }
  for (const part of parts) {
    const m = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part)
    if (!m) return { why: 'form' }
    const from = Number(m[1])
    const to = Number(m[2] ?? m[1])
    if (from < 1) return { why: 'form' }
    if (from > to) return { why: 'order', args: { from: to, to: from } }
    if (to > pages) return { why: 'beyond', args: { pages } }
  }
  const range = parts.join(',')
  return range.length > MAX_LENGTH ? { why: 'form' } : { range }
}
