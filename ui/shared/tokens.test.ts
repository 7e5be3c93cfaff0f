import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const hex = (css: string) => Object.fromEntries([...css.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!])) as Record<string, string>
const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const light = hex(read('./tokens.css'))
const dark = { ...light, ...hex(read('../console/src/app.css')) }
const dim = { ...light, ...hex(read('../terminal/src/shell/dim.css')) }

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (high! + 0.05) / (low! + 0.05)
}

const pairs: [string, string][] = [
  ['ink', 'paper'],
  ['ink', 'sheet'],
  ['ink', 'sunk'],
  ['ink', 'lake-tint'],
  ['ink-soft', 'paper'],
  ['ink-soft', 'sheet'],
  ['ink-soft', 'sunk'],
  ['on-lake', 'lake'],
  ['on-lake', 'lake-deep'],
  ['lake', 'paper'],
  ['lake', 'sheet'],
  ['lake-deep', 'lake-tint'],
  ...['free', 'use', 'rest', 'stop', 'lock', 'wait'].flatMap((s): [string, string][] => [
    [s, `${s}-tint`],
    [s, 'sheet'],
  ]),
]

it('signs and notices keep 7:1 on a dimmed terminal', () => {
  for (const [text, ground] of [['on-use', 'use-tint'], ['on-sign', 'lock'], ['on-sign', 'rest']] as const)
    expect(contrast(dim[text]!, dim[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(7)
})

it.each([
  ['light', light],
  ['dark', dark],
  ['dim', dim],
])('text keeps 7:1 on its ground (%s)', (_, tokens) => {
  for (const [text, ground] of pairs) expect(contrast(tokens[text]!, tokens[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(7)
})
