// Serves the built pages with canned views and API answers, for screenshots and
// for work on the pages. It is no part of the product.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { api } from './console-data.mjs'
import { sim } from './sim-data.mjs'
import { views } from './views.mjs'

const here = fileURLToPath(new URL('..', import.meta.url))
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2', '.woff': 'font/woff', '.svg': 'image/svg+xml' }
// As strict as the product: what breaks under it must be seen here first.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

async function file(res, root, path, index) {
  const name = normalize(join(root, path))
  if (!name.startsWith(root)) return void res.writeHead(400).end()
  let body, ext
  try {
    body = await readFile(name)
    ext = extname(name)
  } catch {
    if (extname(path)) return void res.writeHead(404).end()
    body = await readFile(join(root, index))
    ext = '.html'
  }
  res.writeHead(200, { 'content-type': types[ext] ?? 'application/octet-stream', 'content-security-policy': policy, 'cache-control': 'no-store' }).end(body)
}

function frame(text) {
  const body = Buffer.from(text)
  const head = body.length < 126 ? Buffer.from([0x81, body.length]) : Buffer.from([0x81, 126, body.length >> 8, body.length & 255])
  return Buffer.concat([head, body])
}

/** Starts one server; what: "terminal" or "console". Returns its address and a way to choose the view. */
export async function start(what, port = 0) {
  let current = 'welcome'
  const sockets = new Set()
  const root = join(here, what, 'dist')
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://mock')
    try {
      if (what === 'console' && url.pathname.startsWith('/api/')) return await api(req, res, url)
      if (what === 'terminal' && url.pathname.startsWith('/sim/')) return await sim(req, res, url)
      await file(res, root, url.pathname === '/' ? 'index.html' : url.pathname, 'index.html')
    } catch (e) {
      if (!res.headersSent) res.writeHead(500)
      res.end(String(e))
    }
  })
  server.on('upgrade', (req, socket) => {
    const accept = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => sockets.delete(socket))
    socket.write(frame(JSON.stringify(views[current])))
  })
  await new Promise((done) => server.listen(port, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    show(name) {
      current = name
      for (const s of sockets) s.write(frame(JSON.stringify(views[name])))
    },
    stop() {
      for (const s of sockets) s.destroy()
      server.closeAllConnections()
      return new Promise((done) => server.close(done))
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const terminal = await start('terminal', 8101)
  const console_ = await start('console', 8102)
  const names = Object.keys(views)
  let i = 0
  setInterval(() => terminal.show(names[(i = (i + 1) % names.length)]), 4000)
  process.stdout.write(`terminal ${terminal.url}\nbench    ${terminal.url}/bench.html\nview     ${terminal.url}/view.html\nconsole  ${console_.url}\n`)
}
