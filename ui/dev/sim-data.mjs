// A simulated terminal's hardware, as the bench sees it, and one picture of its screen.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const state = { badges: [], case: 'closed', reader: 'ready', network: 'on', printer: 'ready', screen: 'on', power: 'on', call: 'off', present: 'nobody', saving: { power: 'low', relay: 'off', governor: 'powersave', wakes: '2026-11-27T06:48:00Z' } }
const picture = fileURLToPath(new URL('../shots/terminal-welcome.png', import.meta.url))

export async function sim(req, res, url) {
  if (url.pathname === '/sim/screen.png') {
    const png = await readFile(picture).catch(() => undefined)
    return void (png ? res.writeHead(200, { 'content-type': 'image/png' }).end(png) : res.writeHead(404).end())
  }
  if (req.method === 'POST') {
    if (req.headers['x-borne'] !== '1') return void res.writeHead(403).end('X-Borne header is missing')
    let body = ''
    for await (const chunk of req) body += chunk
    const a = JSON.parse(body)
    if (url.pathname === '/sim/do') {
      if (a.action === 'tap') state.badges = a.uids
      if (a.action === 'lift') state.badges = []
      if (a.action === 'case') state.case = a.on ? 'open' : 'closed'
      if (a.action === 'reader') state.reader = a.on ? 'ready' : 'absent'
      if (a.action === 'network') state.network = a.on ? 'on' : 'off'
      if (a.action === 'printer') state.printer = a.jam ? 'jam' : 'ready'
      if (a.action === 'present') {
        state.present = a.on ? 'there' : 'nobody'
        state.saving = a.on ? { power: 'lit', relay: 'on', governor: 'schedutil' } : { power: 'low', relay: 'off', governor: 'powersave' }
      }
      if (a.action === 'call') state.call = 'on'
    }
    return void res.writeHead(204).end()
  }
  if (url.pathname !== '/sim/state') return void res.writeHead(404).end()
  res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(state))
}
