// Somebody of the building's staff at the page of hours, in headless Chromium:
// by mouse, or by keyboard alone. Each line of standard input is a scene; each
// answer counts the person's actions and the time. An action is a click, a drag,
// a text typed into one field, or one press of a key.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(process.env.UI + '/package.json')
const { chromium } = require('playwright-core')

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
const errors = []
let page
let actions = 0

/** Another window of the same person when somebody is logged in already. */
async function newPage(url, viewport = { width: 1280, height: 800 }, scale = 1) {
  const context = await browser.newContext({ storageState: await page?.context().storageState(), viewport, deviceScaleFactor: scale, locale: 'fr-FR', timezoneId: 'Europe/Paris', reducedMotion: 'reduce' })
  context.setDefaultTimeout(30000)
  const p = await context.newPage()
  await p.clock.setFixedTime(Number(process.env.NOW))
  p.on('pageerror', (e) => errors.push(e.message))
  // A 412 is played on purpose, and the browser reports it.
  p.on('console', (m) => m.type() === 'error' && !m.text().includes('412') && errors.push(m.text()))
  await p.goto(url)
  return p
}

const seen = (selector, p = page) => p.locator(selector).first().waitFor({ state: 'visible' })
const click = async (selector) => {
  actions++
  await page.locator(selector).first().click()
}
const type = async (selector, text) => {
  actions++
  const field = page.locator(selector).first()
  await field.fill(text)
  await field.blur()
}
const press = async (...keys) => {
  for (const k of keys) {
    actions++
    await page.keyboard.press(k)
  }
}
/** Tab, as often as it takes. */
async function tabTo(selector, most = 80) {
  for (let i = 0; i < most; i++) {
    await press('Tab')
    if (await page.evaluate((s) => !!document.activeElement?.matches(s), selector)) return
  }
  throw new Error(`${most} times Tab do not reach ${selector}`)
}
/** Replaces what a field has; typing it is one action. */
async function write(text) {
  await page.keyboard.press('Control+A')
  actions++
  await page.keyboard.type(text)
}
const result = async (text) => {
  await page.locator('dialog .result').getByText(text, { exact: false }).first().waitFor({ state: 'visible' })
  await page.locator('dialog [data-save]:not([disabled])').waitFor({ state: 'visible' })
}
// Not « pas encore enregistrés »: what is done has a mark before it.
const saved = () => page.locator('.said .ok').getByText('✓ Enregistré').waitFor({ state: 'visible' })
const home = async () => {
  await page.reload()
  await seen('.year')
  // Nothing has the focus, as when a page has just come.
  await page.evaluate(() => document.activeElement?.blur())
}
const same = (got, want, what) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}

const scenes = {
  async login({ url, hash }) {
    await page?.context().close()
    page = undefined
    page = await newPage(url)
    await page.getByText('Se déconnecter').waitFor()
    if (hash) await page.evaluate((h) => (location.hash = h), hash)
    await seen('.year')
  },

  // The three tasks, by mouse.
  async 'close-mouse'({ why }) {
    await click('[data-task=close]')
    await result('au lieu de')
    await type('[data-why]', why)
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },
  async 'monthly-mouse'({ until }) {
    await click('[data-task=monthly]')
    await type('dialog input[inputmode=numeric] >> nth=1', until)
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },
  async 'season-mouse'({ from, to, until }) {
    await click('[data-task=season]')
    await type('[data-from]', from)
    await type('[data-to]', to)
    await type('dialog input[inputmode=numeric] >> nth=1', until)
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },

  // The same by keyboard alone.
  async 'close-keys'({ why }) {
    await tabTo('[data-task=close]')
    await press('Enter')
    await result('au lieu de')
    await tabTo('[data-why]')
    await write(why)
    await result('au lieu de')
    await press('Enter')
    await saved()
    same(await page.evaluate(() => document.activeElement?.dataset.task), 'close', 'what has the focus after the question')
  },
  async 'monthly-keys'({ until }) {
    await tabTo('[data-task=monthly]')
    await press('Enter')
    await seen('[data-nth]')
    await tabTo('dialog input[inputmode=numeric]')
    await press('Tab')
    await write(until)
    await press('Tab')
    await result('au lieu de')
    await tabTo('dialog [data-save]')
    await press('Enter')
    await saved()
  },
  async 'season-keys'({ until }) {
    await tabTo('[data-task=season]')
    await press('Enter')
    await seen('[data-name]')
    await tabTo('dialog input[inputmode=numeric]')
    await press('Tab')
    await write(until)
    await press('Tab')
    await result('au lieu de')
    await tabTo('dialog [data-save]')
    await press('Enter')
    await saved()
  },

  // A collège opens in the evening: who agreed is asked where it is missing.
  async 'accord-mouse'({ by, key }) {
    await click('[data-task=open]')
    await seen('dialog [data-accord=by]')
    await type('dialog [data-accord=by]', by)
    await type('dialog [data-accord=key]', key)
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },

  // The week: drawn by mouse, chosen by keyboard, taken back, saved.
  async 'grid-mouse'() {
    const at = (col, m) => page.locator(`[data-col="${col}"][data-at="${m}"]`)
    await at(5, 540).scrollIntoViewIfNeeded() // Saturday
    const [a, b] = [await at(5, 540).boundingBox(), await at(5, 705).boundingBox()]
    actions++
    await page.mouse.move(a.x + 10, a.y + 6)
    await page.mouse.down()
    await page.mouse.move(b.x + 10, b.y + 6, { steps: 6 })
    await page.mouse.up()
    await page.locator('.foot').getByText('samedi', { exact: false }).first().waitFor()
    await press('Control+z')
    await page.locator('[data-redo]:not([disabled])').waitFor()
    same(await at(5, 540).getAttribute('aria-label'), 'samedi, de 9\u00a0h à 9\u00a0h\u00a015, fermé', 'after Ctrl+Z')
    await press('Control+Shift+z')
    await type('.foot [data-note]', 'Essai du samedi')
    await click('.foot [data-save]:not([disabled])')
    await saved()
  },
  // Drawn where no staff is: the bar leads to where it is said who has the key.
  async 'key-mouse'({ key }) {
    actions++
    await page.locator('[data-col="5"][data-at="540"]').click()
    await click('.foot [data-key]')
    await page.locator('#hours-accords [data-accord-add]:focus').waitFor()
    await press('Enter')
    await type('dialog input[type=date] >> nth=1', '2028-04-12')
    await type('dialog [data-accord=key]', key)
    await click('dialog .btn.main')
    await click('.foot [data-save]:not([disabled])')
    await saved()
  },
  async 'suspend-mouse'() {
    await click('#hours-accords > summary')
    await seen('#hours-accords .all .btn')
    same(await page.locator('#hours-accords input[type=checkbox]:disabled').count(), 2, 'rules of the place that its staff cannot change')
    await click('#hours-accords .all .btn >> nth=0')
    await click('.foot [data-save]:not([disabled])')
    await saved()
  },
  async 'grid-keys'() {
    await tabTo('[role=gridcell]')
    same(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'lundi, de 8\u00a0h à 8\u00a0h\u00a015, ouvert', 'the first cell')
    // Wednesday from 13 h to 14 h.
    await press('ArrowRight', 'ArrowRight', 'PageDown', 'PageDown', 'PageDown', 'PageDown', 'PageDown', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Enter')
    await page.locator('[aria-live]').getByText('Mercredi : de 8\u00a0h à 12\u00a0h et de 13\u00a0h à 14\u00a0h').waitFor({ state: 'attached' })
    await tabTo('.foot [data-save]', 700)
    await press('Enter')
    await saved()
  },
  // Somebody else was faster than the one who takes a change back.
  async 'late-revert'() {
    await click('[data-revert="0"]')
    await click('[data-sure]')
    await seen('.foot .note.warn')
    same(await page.locator('.foot .note.warn .btn').count(), 1, 'ways out')
    await click('.foot .note.warn .btn')
    await page.locator('.foot .note.warn').waitFor({ state: 'detached' })
  },
  // « Annuler ce changement », right where it is said that it was saved.
  async undone() {
    await click('[data-undone]')
    await page.locator('.said').getByText('annulé', { exact: false }).waitFor()
  },
  async 'undone-later'() {
    await home()
    actions = 0
    await click('[data-revert="0"]')
    await click('[data-sure]')
    await page.locator('.said').getByText('annulé', { exact: false }).waitFor()
  },
  // A day of the year, by keyboard.
  async 'year-keys'({ day }) {
    await tabTo('.year button')
    for (let i = 0; i < 60; i++) {
      const at = await page.evaluate(() => document.activeElement.dataset.day)
      if (at === day) break
      await press(at < day ? (Date.parse(day) - Date.parse(at) >= 7 * 864e5 ? 'ArrowDown' : 'ArrowRight') : 'ArrowLeft')
    }
    await press('Enter')
    await seen('dialog')
    await press('ArrowDown') // from « Comme d’habitude » to « Fermé »
    await result('fermé')
    await tabTo('dialog [data-save]')
    await press('Enter')
    await saved()
  },
  // What is not saved is not lost by a click elsewhere.
  async leave({ other }) {
    await page.locator('[data-drop]').first().click()
    await page.evaluate((h) => (location.hash = h), other)
    await seen('[data-leave-save]')
    await click('dialog .btn.plain')
    same(await page.locator('.foot').getByText('pas encore enregistrés', { exact: false }).count(), 1, 'what is not saved after staying')
    await page.evaluate((h) => (location.hash = h), other)
    await click('[data-leave]')
    await page.locator('[aria-current=page]').getByText('Salle multimédia').waitFor()
  },

  // What the role sees: this page, whatever address is typed.
  async 'nothing-else'() {
    for (const hash of ['#/', '#/terminals/demo-blanchard-hall-1', '#/audit', '#/calendars', '#/sites/demo-blanchard/rules', '#/sites/demo-rousseau/hours']) {
      await page.evaluate((h) => (location.hash = h), hash)
      await seen('.year')
      same(await page.locator('header nav a').allInnerTexts(), ['Horaires'], `the ways from ${hash}`)
      same(await page.locator('h1').allInnerTexts(), ['Horaires\u00a0: Collège Raoul Blanchard (démonstration)'], `the page at ${hash}`)
      if (await page.locator('.signs .lost').count()) throw new Error('the page says that it lost the controller')
    }
  },
  // Narrow screens, large letters, names for everything, and one place to speak from.
  async access() {
    for (const [viewport, scale] of [[{ width: 320, height: 640 }, 1], [{ width: 640, height: 400 }, 2]]) {
      const p = await newPage(page.url(), viewport, scale)
      await seen('.year', p)
      for (const f of await p.locator('details > summary').all()) await f.click()
      const wide = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      if (wide > 0) throw new Error(`at ${viewport.width} px the page is ${wide} px too wide`)
      const nameless = await p.evaluate(() => {
        const named = (e) => e.getAttribute('aria-label')?.trim() || e.getAttribute('aria-labelledby') || e.closest('label')?.innerText.trim() || (e.id && document.querySelector(`label[for="${e.id}"]`)) || e.innerText?.trim()
        const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
        return [...[...document.querySelectorAll('button, a[href], input, select, textarea, summary, [role=grid], [role=gridcell][tabindex]')].filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 120)), ...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `two of #${id}`)]
      })
      same(nameless, [], 'without a name')
      same(await p.locator('.foot [role=status]').count(), 1, 'places that speak')
      const small = await p.evaluate(() => [...document.querySelectorAll('main .btn, main [data-task], main summary, main select')].filter((e) => e.getBoundingClientRect().height < 44 && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 90)))
      same(small, [], 'too small to hit')
      await p.context().close()
    }
  },
  // Somebody else saves while the question is open: the result is shown anew, theirs and ours.
  async 'meanwhile-open'() {
    await home()
    await click('[data-task=close]')
    await result('au lieu de')
  },
  async 'meanwhile-save'() {
    await click('dialog [data-save]')
    await page.locator('dialog [role=alert]').getByText('quelqu’un d’autre').waitFor()
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },
  // The same for what is drawn: mine or theirs is asked.
  async 'theirs-drop'() {
    await home()
    await page.locator('[data-drop]').first().click()
    await seen('.foot [data-save]:not([disabled])')
  },
  async 'theirs-save'() {
    await click('.foot [data-save]')
    await seen('.foot .note.warn')
    await click('.foot .note.warn .btn >> nth=1')
    await page.locator('.foot .note.warn').waitFor({ state: 'detached' })
  },
  // Another place's hours are taken over, looked at, and saved; then given to two others.
  async 'copy-mouse'({ from }) {
    await click('#hours-share > summary')
    await click('[data-copy]')
    actions++
    await page.locator('dialog select').selectOption(from)
    await click('dialog .btn.main')
    await page.locator('.foot').getByText('samedi', { exact: false }).first().waitFor()
    await click('.foot [data-save]')
    await saved()
  },
  async 'apply-mouse'({ onto }) {
    await click('#hours-share > summary')
    await click('[data-apply]')
    for (const id of onto) {
      actions++
      await page.locator(`dialog input[value="${id}"]`).check()
    }
    await click('[data-apply-do]')
    await page.locator('dialog [role=status]').getByText('C’est fait').waitFor()
  },
  async 'text-mouse'({ text }) {
    await click('#hours-advanced > summary')
    await type('[data-osm]', text)
    await click('form:has([data-osm]) .btn')
    await page.locator('.foot').getByText('mardi', { exact: false }).first().waitFor()
    await click('.foot [data-save]:not([disabled])')
    await saved()
  },
  async 'holidays-mouse'({ worked }) {
    await click('#hours-holidays > summary')
    await click(`[data-worked="${worked}"]`)
    await click('.foot [data-save]:not([disabled])')
    await saved()
  },
  // A space parts from its site, and follows it again.
  async 'space-mouse'({ hash }) {
    await page.evaluate((h) => (location.hash = h), hash)
    await click('[data-own]')
    await click('[data-task=close]')
    await result('au lieu de')
    await click('dialog [data-save]')
    await saved()
  },
  async shot({ path }) {
    await page.screenshot({ path, fullPage: true })
  },
}

console.log(JSON.stringify({ ok: true }))
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { scene, ...rest } = JSON.parse(line)
    if (!scenes[scene]) throw new Error(`no scene ${scene}`)
    if (page && /-(mouse|keys)$/.test(scene)) await home()
    actions = 0
    const begun = performance.now()
    await scenes[scene](rest)
    const ms = Math.round(performance.now() - begun)
    if (errors.length) throw new Error(`the page complains: ${errors.splice(0).join('; ')}`)
    console.log(JSON.stringify({ ok: true, actions, ms }))
  } catch (e) {
    console.log(JSON.stringify({ error: String(e.message ?? e).slice(0, 900) }))
  }
}
await browser.close()
