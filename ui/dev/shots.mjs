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

async function shoot(page, name, fullPage = false) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) complain(name, `is ${wide} px wider than its window`)
  await page.screenshot({ path: `${out}${name}.png`, fullPage })
}

const terminal = await start('terminal')
for (const name of Object.keys(views)) {
  if (!wanted('terminal-' + name)) continue
  terminal.show(name)
  const page = await open(name, { viewport: { width: 1280, height: 800 } }, terminal.url)
  await page.waitForSelector(`body[data-screen=${views[name].screen}]`)
  await page.waitForTimeout(150)
  await shoot(page, 'terminal-' + name)
  if (name === 'thanks' || name === 'thanks-idle') {
    await page.click('[data-open=details]')
    await page.waitForTimeout(150)
    await shoot(page, `terminal-${name}-details`)
  }
  if (name === 'session') {
    await page.click('[data-ask=end]')
    await shoot(page, 'terminal-session-ask')
  }
  await page.context().close()
}

const console_ = await start('console')
for (const p of pages) {
  for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
    for (const colorScheme of p.dark ? ['light', 'dark'] : ['light']) {
      const name = `${p.name}-${size}${colorScheme === 'dark' ? '-dark' : ''}`
      if (!wanted(name)) continue
      if (p.only && p.only !== size) continue
      const page = await open(name, { viewport, colorScheme, locale: p.locale ?? 'fr-FR', ...(p.outside ? { extraHTTPHeaders: { 'x-mock': 'outside' } } : {}) }, (p.server === 'terminal' ? terminal.url : console_.url) + p.path, p.fails)
      await page.waitForSelector(p.wait)
      await p.act?.(page)
      await page.waitForTimeout(200)
      await shoot(page, name, true)
      await page.context().close()
    }
  }
}

await browser.close()
await terminal.stop()
await console_.stop()
process.exitCode = failed ? 1 : 0
