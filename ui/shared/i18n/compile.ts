// Compiles ICU messages at build time, so that no parser reaches a page.
import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser'
import type { Node } from './format.ts'

const MAX_DEPTH = 4

/** Compiles one message. Throws with the message's key when it is not in our subset. */
export function compile(key: string, message: string): string | Node[] {
  let nodes: Node[]
  try {
    nodes = walk(parse(message, { ignoreTag: true, requiresOtherClause: true }), 0)
  } catch (e) {
    throw new Error(`cannot compile the message ${key}: ${(e as Error).message}`)
  }
  return nodes.length === 1 && typeof nodes[0] === 'string' ? nodes[0] : nodes
}

function walk(elements: MessageFormatElement[], depth: number): Node[] {
  if (depth > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`)
  return elements.map((el): Node => {
    switch (el.type) {
      case TYPE.literal:
        return el.value
      case TYPE.pound:
        return 0
      case TYPE.argument:
        return [el.value]
      case TYPE.plural:
      case TYPE.select: {
        if (el.type === TYPE.plural && (el.offset || el.pluralType === 'ordinal')) throw new Error('offsets and ordinals are not used here')
        const options: Record<string, Node[]> = {}
        for (const [name, o] of Object.entries(el.options)) options[name] = walk(o.value, depth + 1)
        return [el.value, el.type === TYPE.plural ? 'p' : 's', options]
      }
      default:
        throw new Error('only {name}, plural and select are used here')
    }
  })
}

/** Compiles the messages whose key begins with one of the namespaces (all of them when none is given). */
export function compileCatalogue(json: Record<string, string>, namespaces: string[]): Record<string, string | Node[]> {
  const out: Record<string, string | Node[]> = {}
  for (const [key, message] of Object.entries(json)) {
    if (namespaces.length === 0 || namespaces.some((n) => key.startsWith(n + '.'))) out[key] = compile(key, message)
  }
  return out
}
