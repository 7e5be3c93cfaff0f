// Fails when the pages use a key that the catalogue lacks, or the catalogue
// holds a key that nothing uses. Codes of the protocol are used by prefix
// (`reason.${code}`); the Go test of ui/catalogues proves those complete.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const keys = new Set(Object.keys(JSON.parse(readFileSync(join(root, 'catalogues/fr.json'), 'utf8'))))
const spaces = new Set([...keys].map((k) => k.split('.')[0]))

function* sources(dir) {
  for (const e of readdirSync(join(root, dir), { withFileTypes: true })) {
    const path = `${dir}/${e.name}`
    if (e.isDirectory()) yield* e.name === 'api' ? [] : sources(path)
    else if (/\.(svelte|ts)$/.test(e.name) && !/\.(d|test)\.ts$/.test(e.name)) yield path
  }
}

const used = new Set()
const prefixes = new Set()
const missing = []
for (const path of ['shared', 'terminal/src', 'console/src'].flatMap((d) => [...sources(d)])) {
  const text = readFileSync(join(root, path), 'utf8')
  for (const [, literal] of text.matchAll(/['"`]([a-z]+(?:\.[a-zA-Z0-9-]+)*\.?)['"`]/g)) {
    if (!literal.includes('.') || /\.(html|json|png|svg)$/.test(literal) || !spaces.has(literal.split('.')[0])) continue
    if (keys.has(literal)) used.add(literal)
    else if (literal.endsWith('.') && [...keys].some((k) => k.startsWith(literal))) prefixes.add(literal)
    else missing.push(`${path}: ${literal}`)
  }
}
// A sentence may be written by Go alone.
function* goSources(dir) {
  for (const e of readdirSync(join(root, dir), { withFileTypes: true })) {
    if (e.isDirectory()) yield* goSources(`${dir}/${e.name}`)
    else if (e.name.endsWith('.go') && !e.name.endsWith('_test.go')) yield `${dir}/${e.name}`
  }
}
for (const path of ['../kiosk', '../controller'].flatMap((d) => [...goSources(d)]))
  for (const [, literal] of readFileSync(join(root, path), 'utf8').matchAll(/"([a-z]+(?:\.[a-zA-Z0-9-]+)+)"/g)) if (keys.has(literal)) used.add(literal)
// Sentences of the protocol's codes that only Go and the other pages look up by prefix.
const unused = [...keys].filter((k) => !used.has(k) && ![...prefixes].some((p) => k.startsWith(p)))

for (const m of missing) process.stderr.write(`missing from the catalogues: ${m}\n`)
for (const k of unused) process.stderr.write(`used by no page: ${k}\n`)
if (missing.length || unused.length) process.exit(1)
process.stdout.write(`${keys.size} keys, ${used.size} by name, the rest under ${[...prefixes].sort().join(' ')}\n`)
