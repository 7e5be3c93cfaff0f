// Fails when the terminal's own page loads more JavaScript than a Pi should
// read at each start. Says nothing before the first build.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const LIMIT = 60 * 1024
const dist = fileURLToPath(new URL('../terminal/dist/', import.meta.url))
if (existsSync(dist + 'index.html')) {
  const page = readFileSync(dist + 'index.html', 'utf8')
  const scripts = [...page.matchAll(/(?:src|href)="\.\/([^"]+\.js)"/g)].map((m) => m[1])
  const size = scripts.reduce((n, s) => n + gzipSync(readFileSync(dist + s)).length, 0)
  if (scripts.length === 0 || size > LIMIT) {
    process.stderr.write(`the terminal's page loads ${size} bytes of compressed JavaScript in ${scripts.length} files; the limit is ${LIMIT}\n`)
    process.exit(1)
  }
  process.stdout.write(`terminal: ${size} bytes of compressed JavaScript, limit ${LIMIT}\n`)
}
