/** One compiled piece: text, # (0), a value, or a choice by plural category ("p") or by text ("s"). */
export type Node = string | 0 | [string] | [string, 'p' | 's', Record<string, Node[]>]
export type Message = string | Node[]
export type Messages = Record<string, Message>
export type Args = Record<string, string | number>

/** Locales of the browser for our tags: a private-use tag is read as its parent. */
export function locale(lang: string): string {
  return lang.split('-x-')[0] || 'fr'
}

const rules = new Map<string, Intl.PluralRules>()
const numbers = new Map<string, Intl.NumberFormat>()

function cached<T>(map: Map<string, T>, key: string, make: () => T): T {
  let v = map.get(key)
  if (!v) map.set(key, (v = make()))
  return v
}

function number(lang: string, n: number): string {
  return cached(numbers, lang, () => new Intl.NumberFormat(locale(lang))).format(n)
}

/** Fills a compiled message. A missing value shows its name in braces, which is seen and mended. */
export function format(message: Message, lang: string, args: Args = {}, hash = ''): string {
  if (typeof message === 'string') return message
  let out = ''
  for (const node of message) {
    if (typeof node === 'string') out += node
    else if (node === 0) out += hash
    else if (node.length === 1) {
      const v = args[node[0]]
      out += v === undefined ? `{${node[0]}}` : typeof v === 'number' ? number(lang, v) : v
    } else {
      const [name, kind, options] = node
      const v = args[name]
      if (kind === 'p') {
        const n = Number(v) || 0
        const category = cached(rules, lang, () => new Intl.PluralRules(locale(lang))).select(n)
        out += format(options['=' + n] ?? options[category] ?? options.other ?? [], lang, args, number(lang, n))
      } else {
        out += format(options[String(v)] ?? options.other ?? [], lang, args, hash)
      }
    }
  }
  return out
}

/** Languages to try for a tag, nearest first: fr-x-facile → fr; anything unknown ends in French. */
export function fallbacks(lang: string): string[] {
  const list: string[] = []
  for (let l = lang; l; ) {
    list.push(l)
    const i = l.lastIndexOf('-')
    l = i < 0 ? '' : l.slice(0, i).replace(/-x$/, '')
  }
  return list.includes('fr') ? list : [...list, 'fr']
}

export interface Translator<K extends string> {
  lang: string
  /** The sentence of a key; the key itself when nothing has it, so that no page is blank. */
  (key: K, args?: Args): string
  /** The sentence of prefix + code, or of the second key when the code is unknown to this build. */
  code(prefix: string, code: string | undefined, otherwise: K, args?: Args): string
}

/** Makes the function that pages read their words with. */
export function translator<K extends string>(catalogues: Record<string, Messages>, lang: string): Translator<K> {
  const chain = fallbacks(lang).filter((l) => catalogues[l])
  const find = (key: string): [Message, string] | undefined => {
    for (const l of chain) {
      const m = catalogues[l]![key]
      if (m !== undefined) return [m, l]
    }
  }
  const t = ((key: K, args?: Args) => {
    const found = find(key)
    return found ? format(found[0], found[1], args) : key
  }) as Translator<K>
  t.lang = lang
  t.code = (prefix, code, otherwise, args) => {
    const found = code ? find(prefix + code) : undefined
    return found ? format(found[0], found[1], args) : t(otherwise, args)
  }
  return t
}
