// Takes a picture of every screen: `npm run shots [-- name…]`, into shots/.
// Fails when a page logs an error, scrolls sideways or breaks its content policy.
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { start } from './mock.mjs'
import { pages } from './pages.mjs'
import { views } from './views.mjs'

const out = fileURLToPath(new URL('../shots/', import.meta.url))
const only = process.argv.slice(2)
const wanted = (name) => only.length === 0 || only.some((o) => name.startsWith(o))
await mkdir(out, { recursive: true })

const browser = await chromium.launch({
  executablePath: process.env.BORNE_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
let failed = 0
const complain = (name, what) => {
  failed++
  process.stderr.write(`${name}: ${what}\n`)
}

async function open(name, options, url, fails = false) {
  const context = await browser.newContext({ locale: 'fr-FR', reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  page.on('console', (m) => m.type() === 'error' && !(fails && m.text().includes('Failed to load resource')) && complain(name, m.text()))
  page.on('pageerror', (e) => complain(name, e.message))
  await page.goto(url)
  await page.evaluate(() => document.fonts.ready)
  return page
}

async function shoot(page, name, fullPage = false, part = '') {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) complain(name, `is ${wide} px wider than its window`)
  if (part) await page.locator(part).screenshot({ path: `${out}${name}.png` })
  else await page.screenshot({ path: `${out}${name}.png`, fullPage })
}

// What the window system shows beside a question: the first pages, over PrintPanel's rest.
const stand = () => {
  const seen = document.createElement('div')
  Object.assign(seen.style, { position: 'fixed', inset: '0 0 0 56%', display: 'grid', placeItems: 'center', background: '#d8d2c6' })
  const sheet = document.createElement('div')
  Object.assign(sheet.style, { height: 'min(86vh, 54vw)', aspectRatio: '210 / 297', background: '#fff', boxShadow: '0 4px 24px #0004' })
  seen.append(sheet)
  document.body.append(seen)
}
// Whether something of the bar, or of a question, lies outside of what is seen.
const cut = () =>
  [...document.querySelectorAll('.panel *, .bar *')].some((e) => {
    const r = e.getBoundingClientRect()
    return r.top < 0 || r.bottom > (e.closest('.bar') ? 72 : innerHeight)
  })
const sizes = { '': { width: 1280, height: 800 } }
const printSizes = { '-1280x1024': { width: 1280, height: 1024 }, '-1366x768': { width: 1366, height: 768 } }

const stuck = ['welcome', 'charter', 'session', 'warning', 'print', 'thanks', 'quarantined', 'broken', 'updating', 'maintenance']
const terminal = await start('terminal')
const screens = Object.keys(views).flatMap((name) => Object.entries(name.startsWith('print') ? printSizes : sizes).map(([size, viewport]) => ({ name, file: `terminal-${name}${size}`, viewport })))
for (const { name, file, viewport } of screens) {
  if (!wanted(file)) continue
  terminal.show(name)
  const page = await open(file, { viewport }, terminal.url)
  await page.waitForSelector(`body[data-screen=${views[name].screen}]`)
  await page.waitForTimeout(150)
  if (await page.evaluate(cut)) complain(file, 'does not fit')
  if (stuck.includes(views[name].screen) && !views[name].bar?.ending && !(await page.locator(views[name].help ? '[data-do=no-help],[data-ask=no-help]' : '[data-do=help]').count())) complain(file, 'has nobody to call')
  if (views[name].print?.preview) await page.evaluate(stand)
  await shoot(page, file)
  if (name === 'thanks' || name === 'thanks-idle') {
    await page.click('[data-open=details]')
    await page.waitForTimeout(150)
    await shoot(page, `${file}-details`)
  }
  if (name === 'session') {
    await page.click('[data-ask=end]')
    await shoot(page, 'terminal-session-ask')
  }
  await page.context().close()
}

const console_ = await start('console')
for (const p of pages) {
  for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 1024 }, desk: { width: 1366, height: 768 }, phone: { width: 390, height: 844 } })) {
    if (size === 'desk' && !p.name.includes('print')) continue
    for (const colorScheme of p.dark ? ['light', 'dark'] : ['light']) {
      const name = `${p.name}-${size}${colorScheme === 'dark' ? '-dark' : ''}`
      if (!wanted(name)) continue
      if (p.only && p.only !== size) continue
      const page = await open(name, { viewport, colorScheme, locale: p.locale ?? 'fr-FR', ...(p.outside || p.mock ? { extraHTTPHeaders: { 'x-mock': p.mock ?? 'outside' } } : {}) }, (p.server === 'terminal' ? terminal.url : console_.url) + p.path, p.fails)
      await page.waitForSelector(p.wait)
      await p.act?.(page)
      await page.waitForTimeout(200)
      await shoot(page, name, true, p.part)
      await page.context().close()
    }
  }
}

await browser.close()
await terminal.stop()
await console_.stop()
process.exitCode = failed ? 1 : 0
