export type Route =
  | { page: 'fleet' }
  | { page: 'terminal' | 'site' | 'receipt' | 'group'; id: string; part?: string; of?: string }
  | { page: 'attend' | 'audit' | 'badges' | 'calendars' | 'help' | 'indicators' | 'inventory' | 'me' | 'people' | 'prints' | 'requisitions' | 'rules' | 'sites' }
  | { page: 'bulk'; id?: string }
  | { page: 'login'; token: string }
  | { page: 'accord'; token: string }
  | { page: 'entrance'; why: string }
  | { page: 'unknown' }

/** Reads the fragment of the address. One that is no path of ours is a login link's token. */
export function parse(hash: string): Route {
  const path = hash.replace(/^#/, '')
  if (path === '' || path === '/') return { page: 'fleet' }
  const token = /^(?:login=|token=)?([A-Za-z0-9_-]{16,64})$/.exec(path)
  if (token) return { page: 'login', token: token[1]! }
  const accord = /^accord=([A-Za-z0-9_-]{16,64})$/.exec(path)
  if (accord) return { page: 'accord', token: accord[1]! }
  const [first, id, part, of] = path.slice(1).split('/').map(safeDecode)
  if (path.startsWith('/') && id) {
    if (first === 'terminals') return { page: 'terminal', id, part }
    if (first === 'sites') return { page: 'site', id, part, ...(of ? { of } : {}) }
    if (first === 'login') return { page: 'entrance', why: id }
    if (first === 'receipts') return { page: 'receipt', id }
    if (first === 'groups') return { page: 'group', id }
    if (first === 'bulk') return { page: 'bulk', id }
  } else if (first === 'attend' || first === 'audit' || first === 'badges' || first === 'bulk' || first === 'calendars' || first === 'help' || first === 'indicators' || first === 'inventory' || first === 'me' || first === 'people' || first === 'prints' || first === 'requisitions' || first === 'rules' || first === 'sites') return { page: first }
  return { page: 'unknown' }
}

function safeDecode(s: string): string {
  try {
    return decodeURIComponent(s)
  } catch {
    return s
  }
}

export const to = {
  fleet: '#/',
  terminal: (id: string) => `#/terminals/${encodeURIComponent(id)}`,
  site: (id: string, part = '') => `#/sites/${encodeURIComponent(id)}${part && '/' + encodeURIComponent(part)}`,
  /** All places, and what a new one needs. */
  sites: '#/sites',
  /** The hours of a site, or of one of its spaces. */
  hours: (site: string, space = '') => `#/sites/${encodeURIComponent(site)}/hours${space && '/' + encodeURIComponent(space)}`,
  /** The rules of the Département, or of one terminal. */
  rules: (terminal = '') => (terminal ? `#/terminals/${encodeURIComponent(terminal)}/rules` : '#/rules'),
  /** The rules of a group of sites. */
  group: (id: string) => `#/groups/${encodeURIComponent(id)}`,
  /** One command to several terminals, or a new one. */
  bulk: (id = '') => (id ? `#/bulk/${encodeURIComponent(id)}` : '#/bulk'),
  receipt: (id: string) => `#/receipts/${encodeURIComponent(id)}`,
}

export class Router {
  route = $state.raw<Route>(parse(location.hash))
  /** Where somebody wants to go who would lose what they typed. */
  wanted = $state('')
  #hash = location.hash
  #unsaved: () => boolean = () => false

  constructor() {
    $effect(() => {
      const moved = () => {
        if (location.hash === this.#hash) return
        if (this.#unsaved()) {
          this.wanted = location.hash
          history.replaceState(null, '', '/' + this.#hash)
          return
        }
        this.#hash = location.hash
        this.route = parse(location.hash)
      }
      addEventListener('hashchange', moved)
      return () => removeEventListener('hashchange', moved)
    })
  }

  /** Goes elsewhere without leaving this address in the history: a token must not stay there. */
  replace(hash: string): void {
    history.replaceState(null, '', '/' + hash)
    this.#hash = location.hash
    this.route = parse(hash)
  }

  /** Asks before this page is left, until the answer is called. */
  hold(unsaved: () => boolean): () => void {
    this.#unsaved = unsaved
    return () => {
      if (this.#unsaved === unsaved) this.#unsaved = () => false
    }
  }

  stay(): void {
    this.wanted = ''
  }

  /** Leaves after all. */
  leave(): void {
    const hash = this.wanted
    this.wanted = ''
    this.#unsaved = () => false
    location.hash = hash
  }
}
