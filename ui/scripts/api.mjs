// Writes the controller's OpenAPI document and the types made from it.
// With --check it writes nothing and fails when the committed ones are old.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const api = fileURLToPath(new URL('../console/src/api/', import.meta.url))
const document = execFileSync('go', ['run', './controller', 'openapi'], { cwd: root, encoding: 'utf8', maxBuffer: 16 << 20 })
const types = COMMENT_HEADER + astToString(await openapiTS(JSON.parse(document)))

for (const [name, text] of [['openapi.json', document], ['schema.d.ts', types]]) {
  if (!process.argv.includes('--check')) writeFileSync(api + name, text)
  else if (readFileSync(api + name, 'utf8') !== text) {
    process.stderr.write(`${name} is older than the controller's API: run npm run api\n`)
    process.exitCode = 1
  }
}
