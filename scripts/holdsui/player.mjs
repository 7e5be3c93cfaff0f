// Two people who hold rows for a réquisition, in headless Chromium. Each line of
// standard input is a scene; each answer tells whether it went as it should.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(process.env.UI + '/package.json')
const { chromium } = require('playwright-core')
const home = process.env.CONSOLE
const shots = process.env.SHOTS

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'],
})
const errors = []
let page

/** A browser of its own for each person. */
async function person(url, width = 1366) {
  const context = await browser.newContext({ locale: 'fr-FR', timezoneId: 'Europe/Paris', reducedMotion: 'reduce', viewport: { width, height: 900 } })
  context.setDefaultTimeout(15000)
  page = await context.newPage()
  page.on('pageerror', (e) => errors.push(e.message))
  page.on('console', (m) => m.type() === 'error' && !/status of 4(01|22)/.test(m.text()) && errors.push(m.text()))
  await page.goto(url)
  await page.getByRole('button', { name: 'Preuves' }).click()
  await page.getByRole('link', { name: 'Réquisitions' }).click()
  await text('Ce qui n’existe pas')
}
const text = (s) => page.getByText(s, { exact: false }).first().waitFor()
const shot = async (name) => shots && page.screenshot({ path: `${shots}/holds-${name}.png`, fullPage: true })
const none = async (what, locator) => {
  if ((await locator.count()) !== 0) throw new Error(`there is ${what}`)
}

const scenes = {
  async ask({ url, reference, authority }) {
    await person(url)
    await shot('empty')
    await page.locator('[data-holds] .btn.main').click()
    const d = page.getByRole('dialog')
    await d.locator('[name=reference]').fill(reference)
    await d.locator('[name=authority]').fill(authority)
    await d.getByRole('checkbox').first().check()
    await d.getByText('Usage des postes').click()
    await d.getByText('Comptes du personnel et badges').click()
    await shot('ask')
    await d.locator('button.main').click()
    await page.locator('[data-hold=asked]').waitFor()
  },

  /** Whoever asked has no button to confirm, and is told why. */
  async mine() {
    await text('une autre personne doit le confirmer')
    await none('a way to confirm', page.locator('[data-hold]').getByText('Confirmer', { exact: true }))
    await none('a way to decide about traffic data', page.getByText('Saisir une décision'))
    await shot('mine')
  },

  async confirm({ url }) {
    await person(url)
    await page.locator('[data-hold=asked]').getByText('Confirmer', { exact: true }).click()
    await text('Vérifiez la réquisition elle-même')
    await shot('confirm')
    await page.getByRole('dialog').locator('button.main').click()
    await page.locator('[data-hold=standing]').getByText('Confirmé par Sacha Vuillermoz').waitFor()
  },

  async told({ says }) {
    await page.reload()
    await page.locator('[data-deletions]').getByText(says).waitFor()
    await page.locator('[data-holds]').getByText('41 lignes de « Sessions »').waitFor()
    await page.locator('[data-classes] summary').first().click()
    await shot('standing')
    await page.getByRole('button', { name: 'Preuves' }).click()
    await page.getByRole('link', { name: 'Données conservées' }).click()
    await text('à la demande d’une autorité')
    await shot('inventory')
    await page.getByRole('button', { name: 'Preuves' }).click()
    await page.getByRole('link', { name: 'Réquisitions' }).click()
  },

  async decide({ reference }) {
    await page.getByText('Saisir une décision').click()
    const d = page.getByRole('dialog')
    await d.locator('[name=reference]').fill(reference)
    await shot('decide')
    await d.locator('button.main').click()
    await page.locator('[data-traffic=off]').getByText(reference).waitFor()
  },

  /** Alone nobody ends it. */
  async end() {
    await page.locator('[data-hold=standing]').getByText('Demander la fin du gel').click()
    await page.getByRole('dialog').locator('button.danger').click()
    await page.locator('[data-hold=standing]').getByText('Quelqu’un d’autre doit confirmer cette fin').waitFor()
    await shot('end')
  },

  async lift({ url }) {
    await person(url)
    await page.locator('[data-hold=standing]').getByText('Lever le gel').click()
    await page.getByRole('dialog').locator('button.danger').click()
    await text('Aucun gel. Chaque donnée est effacée à sa date.')
    await page.locator('[data-holds] summary').click()
    await page.locator('[data-hold=lifted]').waitFor()
    await shot('lifted')
    await page.setViewportSize({ width: 400, height: 800 })
    await shot('phone')
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
    await scenes[scene](how)
    if (errors.length) throw new Error(errors.splice(0).join('; '))
    answer({})
  } catch (e) {
    answer({ Error: `${e.message} at ${page?.url()}: ${((await page?.locator('body').innerText().catch(() => '')) ?? '').slice(0, 600)}` })
  }
}
await browser.close()
