// The first administrator of a new controller, in headless Chromium. Each line of
// standard input is a scene; each answer tells whether it went as it should.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(process.env.UI + '/package.json')
const { chromium } = require('playwright-core')
const shots = process.env.SHOTS

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
const errors = []
const context = await browser.newContext({ locale: 'fr-FR', timezoneId: 'Europe/Paris', reducedMotion: 'reduce', viewport: { width: 1280, height: 900 } })
context.setDefaultTimeout(15000)
const page = await context.newPage()
page.on('pageerror', (e) => errors.push(e.message))
page.on('console', (m) => m.type() === 'error' && !/status of 4(01|09|22)/.test(m.text()) && errors.push(m.text()))
let home = ''
let site = ''

const text = (s) => page.getByText(s, { exact: false }).first().waitFor()
async function shot(name) {
  if (!shots) return
  for (const width of [1024, 1280, 1920]) {
    await page.setViewportSize({ width, height: 900 })
    await page.screenshot({ path: `${shots}/sites-${name}-${width}.png`, fullPage: true })
  }
  await page.setViewportSize({ width: 1280, height: 900 })
}
const go = async (hash) => {
  await page.goto(`${home}/${hash}`)
}
const none = async (what, locator) => {
  if ((await locator.count()) !== 0) throw new Error(`there is ${what}`)
}
const setup = () => go(`#/sites/${site}/setup`)
const field = (name) => page.locator(`[data-field=${name}]`)

const scenes = {
  async begin({ url }) {
    home = new URL(url).origin
    await page.goto(url)
    await page.locator('[data-step=site][aria-current=step]').waitFor()
    await shot('steps')
    await none('a step out of turn', page.locator('[data-step=terminal] a'))
    await page.locator('[data-step=site] a').click()
  },

  /** A number that is none is told at its field, in French. */
  async site({ name, commune, uai }) {
    await field('name').fill(name)
    await field('commune').fill(commune)
    await field('uai').fill('0750654E')
    await field('head').fill('ce.0750654d@ac-grenoble.fr')
    await field('position').fill('ici')
    await page.locator('[data-save-site]').click()
    await text('écrivez deux nombres')
    await field('position').fill('45,8811 ; 6,3241')
    await page.locator('[data-save-site]').click()
    await text('ce n’est pas un numéro UAI')
    await shot('wrong')
    await field('uai').fill(uai)
    await page.locator('[data-save-site]').click()
    await page.locator('[data-space-form]').waitFor()
    site = /#\/sites\/([^/]+)\/setup/.exec(page.url())[1]
  },

  async space({ name }) {
    await page.locator('[data-space=name]').fill(name)
    await page.locator('[data-save-space]').click()
    await page.locator('[data-spaces] li').getByText(name).first().waitFor()
    await shot('setup')
  },

  async steps({ next }) {
    await go('#/')
    await page.locator(`[data-step=${next}][aria-current=step]`).waitFor()
    await shot(`steps-${next}`)
  },

  /** Hours are the hours' page's: here somebody sets those of the week, as its own test does in many ways. */
  async hours() {
    await page.locator('[data-step=hours] a').click()
    await page.waitForURL(/\/hours$/)
    await text('Horaires')
    const id = decodeURIComponent(site)
    const ok = await page.evaluate(async (id) => {
      const r = await fetch(`/api/sites/${id}/hours`)
      const v = await r.json()
      const put = await fetch(`/api/sites/${id}/hours`, { method: 'PUT', headers: { 'content-type': 'application/json', 'x-borne': '1', 'if-match': r.headers.get('etag') }, body: JSON.stringify({ hours: v.hours, inherit: false }) })
      return put.status
    }, id)
    if (ok !== 200) throw new Error(`the hours are refused: ${ok}`)
  },

  async code({ name }) {
    await go(`#/sites/${site}/enrol`)
    await page.getByLabel('Nom du poste').fill(name)
    await page.locator('[data-enrol]').click()
    const code = await page.locator('output').innerText()
    await page.locator('[data-awaited]').waitFor()
    await shot('code')
    if (shots) {
      await page.emulateMedia({ media: 'print' })
      await page.screenshot({ path: `${shots}/sites-sheet.png`, fullPage: true })
      await page.emulateMedia({ media: 'screen' })
    }
    return code
  },

  async cancel() {
    await setup()
    await page.locator('[data-code=waiting]').waitFor()
    await shot('waits')
    await page.getByText('Annuler ce code').click()
    await page.locator('[data-code=waiting]').waitFor({ state: 'detached' })
  },

  /** The page says so by itself, and the site's page too. */
  async enrolled({ name }) {
    await page.locator('[data-enrolled]').getByText(`${name} est enrôlé.`).waitFor()
    await shot('enrolled')
    await setup()
    await page.locator('[data-code=used]').first().waitFor()
    await page.locator(`[data-terminal="${name}"]`).getByText('installé').waitFor()
  },

  async noSteps() {
    await go('#/')
    await page.getByRole('heading', { name: 'Les postes' }).waitFor()
    await none('a list of first steps', page.locator('[data-steps]'))
  },

  async move({ from, name, space }) {
    await setup()
    await page.locator('[data-add-space]').click()
    await page.locator('[data-space=name]').fill(space)
    await page.locator('[data-save-space]').click()
    await page.locator('[data-spaces] li').getByText(space).first().waitFor()
    await page.locator(`[data-terminal="${from}"]`).getByText('Renommer ou déplacer').click()
    await page.locator('[data-place=name]').fill(name)
    await page.locator('[data-place=space]').selectOption({ label: space })
    await shot('move')
    await page.getByRole('dialog').locator('button.main').click()
    await page.locator(`[data-terminal="${name}"]`).getByText(`${space} ·`).waitFor()
  },

  async replace({ name }) {
    await page.locator(`[data-terminal="${name}"]`).getByText('Remplacer').click()
    await text('reprend le nom et l’histoire')
    await page.locator('[data-enrol]').click()
    return page.locator('output').innerText()
  },

  async wrongFile() {
    await page.locator('[data-door=settings]').click()
    await page.getByRole('link', { name: 'Lieux', exact: true }).click()
    await page.locator('[data-upload]').setInputFiles({ name: 'lieux.csv', mimeType: 'text/csv', buffer: Buffer.from('nom;type;commune;uai\nPMS Arve;pms;Cluses;\nCollège X;collège;;0750655E\nY;école;Annecy;\n') })
    await page.locator('[data-mistakes]').getByText('Ligne 3 : Il manque « commune ».').waitFor()
    await page.locator('[data-mistakes]').getByText('Ligne 4 : Le type « école » est inconnu').waitFor()
    await shot('wrong-file')
    await none('a way to import it all the same', page.locator('[data-import]'))
  },

  async file() {
    await page.locator('[data-upload]').setInputFiles({ name: 'lieux.csv', mimeType: 'text/csv', buffer: Buffer.from('nom;type;commune;uai;espaces\nPMS Arve;pms;Cluses;;Accueil\nCollège X;collège;Annecy;0750655E;CDI\nCollège Les Aravis;collège;Thônes;0750654D;\n') })
    await page.locator('[data-found]').getByText('2 lieux nouveaux').waitFor()
    await page.locator('[data-import]').click()
    await page.locator('[data-site="Collège X"]').waitFor()
    await shot('list')
  },

  async keepsPlace({ says }) {
    await setup()
    await page.locator(`[data-terminal="${says}"]`).waitFor()
    await page.locator('[data-close-site]').click()
    await page.getByRole('dialog').locator('button.danger').click()
    await text('Il reste ici des postes')
    await page.keyboard.press('Escape')
  },

  async revoke({ name }) {
    await page.locator(`[data-terminal="${name}"]`).getByText('Retirer').click()
    await page.getByRole('dialog').locator('button.danger').click()
    await page.locator(`[data-terminal="${name}"]`).getByText('retiré').waitFor()
    await shot('revoked')
  },

  async close({ name }) {
    await page.locator('[data-close-site]').click()
    await page.getByRole('dialog').locator('button.danger').click()
    await page.locator(`[data-closed="${name}"]`).waitFor()
    await shot('closed')
  },

  async reopen({ name }) {
    await page.locator(`[data-closed="${name}"]`).getByText('Rouvrir').click()
    await page.locator(`[data-site="${name}"]`).waitFor()
  },

  /** No mouse: Tab, letters and Enter. */
  async keyboard({ name, commune }) {
    await page.locator('h1').waitFor()
    const until = async (selector, most = 60) => {
      for (let i = 0; i < most; i++) {
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return
        await page.keyboard.press('Tab')
      }
      throw new Error(`Tab does not reach ${selector}`)
    }
    await until('[data-add-site]')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await until('[data-field=name]')
    await page.keyboard.type(name)
    await until('[data-field=kind]')
    await page.keyboard.type('Pôle')
    await until('[data-field=commune]')
    await page.keyboard.type(commune)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name }).waitFor()
    await until('[data-space=name]')
    await page.keyboard.type('Accueil')
    await page.keyboard.press('Enter')
    await page.locator('[data-spaces] li').getByText('Accueil').first().waitFor()
  },

  async shot({ path }) {
    await page.screenshot({ path, fullPage: true })
  },
}

const answer = (a) => process.stdout.write(JSON.stringify(a) + '\n')
answer({})
for await (const line of createInterface({ input: process.stdin })) {
  const { scene, ...how } = JSON.parse(line)
  try {
    const said = await scenes[scene](how)
    if (errors.length) throw new Error(errors.splice(0).join('; '))
    answer({ Said: typeof said === 'string' ? said.trim() : '' })
  } catch (e) {
    answer({ Error: `${e.message} at ${page?.url()}: ${((await page?.locator('body').innerText().catch(() => '')) ?? '').slice(0, 600)}` })
  }
}
await browser.close()
