// Somebody who logs in to the console, in headless Chromium. Each line of
// standard input is a scene; each answer tells whether it went as it should.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(process.env.UI + '/package.json')
const { chromium } = require('playwright-core')
const home = process.env.CONSOLE

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
const errors = []
let context
let page

/** A browser that nobody has used yet. */
async function fresh() {
  await context?.close()
  context = await browser.newContext({ locale: 'fr-FR', timezoneId: 'Europe/Paris', reducedMotion: 'reduce' })
  context.setDefaultTimeout(15000)
  page = await context.newPage()
  page.on('pageerror', (e) => errors.push(e.message))
  // Who is not logged in yet is answered 401, and the browser reports it. The provider's pages are not ours.
  page.on('console', (m) => m.type() === 'error' && m.location().url.startsWith(home) && !m.text().includes('401') && errors.push(m.text()))
}
const text = (s) => page.getByText(s, { exact: false }).first().waitFor()
const same = (got, want, what) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}

async function toProvider() {
  await page.goto(home)
  await page.locator('[data-provider]').click()
  await page.waitForURL((u) => u.origin !== home)
}

async function atProvider(login) {
  await text('Qui êtes-vous')
  if (login) {
    await page.locator('[name=login]').fill(login)
    await page.getByText('Continuer').click()
  } else await page.getByText('Annuler').click()
  await page.waitForURL((u) => u.origin === home)
}

const scenes = {
  async refused({ login, says }) {
    await fresh()
    await toProvider()
    await atProvider(login)
    await text(says)
    await page.locator('[data-provider]').waitFor() // another try is one click away
    same((await context.cookies(home)).map((c) => c.name), [], 'cookies')
  },

  /** The address of a return, in a browser that has not begun. */
  async stale({ says }) {
    await fresh()
    await page.goto(`${home}/api/login/oidc/return?code=abc&state=${'s'.repeat(43)}`)
    await text(says)
  },

  async login({ login, name }) {
    if (!page || (await context.cookies()).length === 0) await fresh()
    await toProvider()
    await atProvider(login)
    await text(name)
    same(new URL(page.url()).search, '', 'what is left in the address')
    const [cookie, ...more] = await context.cookies(home)
    same([cookie.httpOnly, cookie.sameSite, more.length], [true, 'Strict', 0], 'cookies')
    same(await page.evaluate(() => document.cookie), '', 'what a script sees')
    await page.reload()
    await text(name)
  },

  /** The console answers, page after page. */
  async use({ link }) {
    await page.getByRole('link', { name: link }).click()
    await page.locator('table, .card').first().waitFor()
    same(await page.locator('[role=alert]').count(), 0, 'alerts')
  },

  async logout({ says }) {
    await page.getByText('Se déconnecter').first().click()
    await page.waitForURL((u) => u.origin !== home)
    await page.getByRole('button', { name: 'Oui' }).click()
    await page.waitForURL((u) => u.origin === home)
    await text(says)
    same((await context.cookies(home)).map((c) => c.name), [], 'cookies')
    await page.goto(home)
    await page.locator('[data-provider]').waitFor()
  },
}

const answer = (a) => process.stdout.write(JSON.stringify(a) + '\n')
answer({})
for await (const line of createInterface({ input: process.stdin })) {
  const { scene, ...how } = JSON.parse(line)
  try {
    await scenes[scene](how)
    if (errors.length) throw new Error(errors.splice(0).join('; '))
    answer({})
  } catch (e) {
    answer({ Error: `${e.message} at ${page?.url()}: ${((await page?.locator('body').innerText().catch(() => '')) ?? '').slice(0, 600)}` })
  }
}
await browser.close()
