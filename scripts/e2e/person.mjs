// A person with a browser: opens the view of the terminal's screen, the bench
// and the console in headless Chromium, and does what each line on standard
// input says. Each line is {do, …}; each answer is {ok} or {error}.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(process.env.UI + '/package.json')
const { chromium } = require('playwright-core')

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'fr-FR', timezoneId: 'Europe/Paris' })
context.setDefaultTimeout(15000)
const pages = new Map()
const page = (name) => {
  const p = pages.get(name)
  if (!p) throw new Error(`no page ${name} is open`)
  return p
}

const actions = {
  async open({ page: name, url }) {
    const p = pages.get(name) ?? (await context.newPage())
    pages.set(name, p)
    await p.goto(url)
  },
  // The picture of the screen takes keys and clicks for the terminal.
  async key({ key }) {
    const image = page('view').locator('img').first()
    await image.focus()
    await image.press(key)
  },
  async click({ x, y, width, height }) {
    const image = page('view').locator('img').first()
    const box = await image.boundingBox()
    await image.click({ position: { x: (x / width) * box.width, y: (y / height) * box.height } })
  },
  async press({ page: name, selector }) {
    await page(name).locator(selector).first().click()
  },
  async select({ page: name, selector, index }) {
    await page(name).locator(selector).first().selectOption({ index })
  },
  // As the browser's print dialog would: every sheet is A4, and there are few.
  async print({ page: name, most }) {
    const pdf = (await page(name).pdf({ preferCSSPageSize: true })).toString('latin1')
    const sheets = [...pdf.matchAll(/\/Type \/Page\b(?!s)/g)].length
    if (sheets < 1 || sheets > most) throw new Error(`${sheets} sheets are printed, at most ${most} are expected`)
    const size = pdf.match(/\/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]/)
    if (!size || Math.abs(size[1] - 595) > 1 || Math.abs(size[2] - 842) > 1) throw new Error(`a sheet is ${size?.[0]}, and not A4`)
  },
  async expect({ page: name, text, selector }) {
    const p = page(name)
    await (selector ? p.locator(selector) : p.getByText(text, { exact: false })).first().waitFor({ state: 'visible' })
  },
  async shot({ page: name, path, width, height }) {
    const p = page(name)
    if (width) await p.setViewportSize({ width, height })
    await p.screenshot({ path })
  },
}

console.log(JSON.stringify({ ok: true }))
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const step = JSON.parse(line)
    if (!actions[step.do]) throw new Error(`no action ${step.do}`)
    await actions[step.do](step)
    console.log(JSON.stringify({ ok: true }))
  } catch (e) {
    console.log(JSON.stringify({ error: String(e.message ?? e).slice(0, 600) }))
  }
}
await browser.close()
