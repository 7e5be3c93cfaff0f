// What a printer says of itself, in our words: one function for the terminal's
// page and the console.

/** What keeps a printer from printing, or will soon; the most pressing first. Keys "print.state.…" of the catalogues. */
export const lacks = ['paper', 'jam', 'door', 'tray', 'toner', 'waste', 'output', 'wear', 'offline', 'stranger', 'paused', 'help', 'paper-low', 'toner-low', 'waste-low', 'wear-low'] as const
export type Lack = (typeof lacks)[number]

/** Lacks that only come: it still prints. */
export const soon = (l: Lack): boolean => l.endsWith('-low')

// printer-state-reasons: RFC 8011 §5.4.12, with what PWG 5100.9 adds from the
// alerts of the Printer MIB, "offline", which CUPS and the agent say, and "untrusted", the agent's alone. Without
// -report or -warning behind it, a keyword is an error.
const known: Record<string, Lack> = {
  'media-empty': 'paper',
  'media-needed': 'paper',
  'media-low': 'paper-low',
  'media-jam': 'jam',
  'door-open': 'door',
  'cover-open': 'door',
  'interlock-open': 'door',
  'input-tray-missing': 'tray',
  'output-tray-missing': 'tray',
  'toner-empty': 'toner',
  'developer-empty': 'toner',
  'marker-supply-empty': 'toner',
  'marker-supply-missing': 'toner',
  'toner-low': 'toner-low',
  'developer-low': 'toner-low',
  'marker-supply-low': 'toner-low',
  'marker-waste-full': 'waste',
  'marker-waste-almost-full': 'waste-low',
  'output-area-full': 'output',
  'opc-life-over': 'wear',
  'opc-near-eol': 'wear-low',
  'fuser-over-temp': 'help',
  'fuser-under-temp': 'help',
  offline: 'offline',
  untrusted: 'stranger',
  shutdown: 'offline',
  'timed-out': 'offline',
  paused: 'paused',
  'moving-to-paused': 'paused',
  stopped: 'paused',
}

// Only a warning: one tray of two is empty, say, and it goes on printing.
const milder: Partial<Record<Lack, Lack>> = { paper: 'paper-low', toner: 'toner-low', waste: 'waste-low', wear: 'wear-low' }
// Nobody has to do anything about these at this printer; "new-…" are about the one that is to come.
const quiet = /^(none|connecting-to-device|stopping|stopped-partly|output-area-almost-full|identify-printer-requested|new-silent|new-untrusted|cups-.*)$/

function lack(reason: string): Lack | undefined {
  const [, word, level = 'error'] = /^(.*?)(?:-(report|warning|error))?$/s.exec(reason.trim().toLowerCase())!
  if (!word || quiet.test(word)) return
  const l = Object.hasOwn(known, word) ? known[word] : undefined
  // What a newer printer says without calling for anybody is for nobody here.
  if (!l) return level === 'error' ? 'help' : undefined
  return level === 'error' ? l : (milder[l] ?? l)
}

/** What a printer lacks, by its printer-state-reasons: each once, the most pressing first. */
export function lacking(reasons: readonly string[] | null | undefined): Lack[] {
  const found = new Set((reasons ?? []).map(lack))
  return lacks.filter((l) => found.has(l))
}
