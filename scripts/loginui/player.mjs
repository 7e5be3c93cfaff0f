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
  // Who is not logged in yet is answered 401, and a refusal of the play 409, and the browser reports it. The provider's pages are not ours.
  page.on('console', (m) => m.type() === 'error' && m.location().url.startsWith(home) && !/status of 40[19]/.test(m.text()) && errors.push(m.text()))
}
let cdp
let authenticatorId
/** The device's own authenticator, which verifies whoever sits there. */
async function device() {
  cdp = await context.newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const made = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } })
  authenticatorId = made.authenticatorId
}
const text = (s) => page.getByText(s, { exact: false }).first().waitFor()
const same = (got, want, what) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
}

/** A picture for whoever wants to look, in the folder SHOTS. */
const shot = async (name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true })

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
  async use({ door, link }) {
    await page.getByRole('button', { name: door }).click()
    await page.getByRole('link', { name: link }).click()
    await page.locator('table, .card').first().waitFor()
    // The place where calls for help are told is there before any comes.
    same(await page.locator('[role=alert]').filter({ hasText: /\S/ }).count(), 0, 'alerts')
  },

  /** Comes by a link, and lets the device make a passkey. */
  async adds({ url, name, key, renamed }) {
    await fresh()
    await device()
    await page.goto(url)
    await page.getByRole('link', { name }).click()
    await text('Aucune pour l’instant')
    await page.locator('#named').fill(key)
    await page.locator('[data-add]').click()
    await text('La clé d’accès est enregistrée')
    await page.locator(`[data-key="${key}"]`).getByText('Renommer').click()
    await page.locator('#renamed').fill(renamed)
    await page.getByRole('button', { name: 'Enregistrer' }).click()
    const row = page.locator(`[data-key="${renamed}"]`)
    await row.getByText('pas encore servi').waitFor()
    // Not by mistake: it asks, and the last way in stays.
    await row.locator('[data-remove]').click()
    await row.getByText('Supprimer pour de bon').click()
    errors.length = 0 // a 409, which the browser reports
    await text('seule façon d’entrer')
    errors.length = 0
    await row.waitFor()
    // The same device makes no second key for the account.
    await page.locator('[data-add]').click()
    await text('Il en a peut-être déjà une')
  },

  /** By passkey, without a name: the device knows whose it is. */
  async passkey({ name }) {
    await page.getByText('Se déconnecter').first().click()
    await page.locator('[data-passkey]').click()
    await text(name)
    await page.goto(`${home}/#/me`)
    await page.locator('[data-key]').getByText('a servi').waitFor()
    const [cookie, ...more] = await context.cookies(home)
    same([cookie.httpOnly, cookie.sameSite, more.length], [true, 'Strict', 0], 'cookies')
  },

  /** Whoever cannot be verified by the device does not come in. */
  async unverified({ says }) {
    await page.getByText('Se déconnecter').first().click()
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
    await page.locator('[data-passkey]').click()
    await page.locator('[data-passkey]:not([disabled])').waitFor()
    await text('Connexion à la console')
    same((await context.cookies(home)).filter((c) => c.name === 'borne'), [], 'sessions')
    // The key of a disabled account, or of one that is gone, opens nothing.
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
    await cdp.send('WebAuthn.clearCredentials', { authenticatorId })
    await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credentials[0], credentialId: btoa('another passkey!') } })
    await page.locator('[data-passkey]').click()
    await text(says)
    errors.length = 0
  },

  /** The page « Comptes »: a group of sites, somebody invited on it, a key for a program. */
  async invites({ url, group, site, name, email, role, key }) {
    await fresh()
    await page.goto(url)
    await page.getByRole('button', { name: 'Réglages' }).click()
    await page.getByRole('link', { name: 'Comptes' }).click()
    await page.locator('[data-group-add]').click()
    await page.locator('[data-group-name]').fill(group)
    await page.locator(`dialog [data-site=${site}]`).check()
    await page.locator('dialog [data-save]').click()
    await page.locator(`li[data-group="${group}"]`).waitFor()
    await page.locator('[data-invite]').click()
    await page.locator('[data-person=name]').fill(name)
    await page.locator('[data-person=email]').fill(email)
    same(await page.locator('dialog [data-save]').isDisabled(), true, 'a role by default')
    await page.locator('[data-person=role]').selectOption(role)
    await page.locator(`dialog [data-group="${group}"]`).check()
    await shot('invite')
    await page.locator('dialog [data-save]').click()
    await text(`Le lien est parti à ${email}`)
    const row = page.locator(`li[data-person="${name}"]`)
    await row.getByText(group).waitFor()
    await row.getByText('n’est pas encore venu').waitFor()
    // Their own rights are nobody's to change.
    await page.locator('li[data-person]', { hasText: '(vous)' }).locator('[data-edit]').click()
    await text('personne ne change ses propres droits')
    await page.keyboard.press('Escape')
    await page.locator('[data-token-add]').click()
    await page.locator('[data-token-name]').fill(key)
    await page.locator('[data-token-role]').selectOption('observer')
    await page.locator('dialog [data-scope=all]').check()
    await shot('key')
    await page.locator('dialog [data-save]').click()
    const secret = await page.locator('[data-shown]').innerText()
    await shot('key-shown')
    await page.locator('dialog .btn.main').click()
    await page.locator(`li[data-token="${key}"]`).waitFor()
    await shot('people')
    // A program uses it; the browser's cookie is not sent along.
    const asked = await fetch(`${home}/api/indicators?from=2026-01&to=2026-02`, { headers: { authorization: `Bearer ${secret}` } })
    const refused = await fetch(`${home}/api/accounts`, { headers: { authorization: `Bearer ${secret}` } })
    same([asked.status !== 401 && asked.status !== 403, refused.status], [true, 403], 'what the key opens')
    const token = page.locator(`li[data-token="${key}"]`)
    await token.locator('[data-revoke]').click()
    await token.locator('[data-revoke]').click()
    await token.getByText('révoquée').waitFor()
    same((await fetch(`${home}/api/me`, { headers: { authorization: `Bearer ${secret}` } })).status, 401, 'a revoked key')
  },

  /** Somebody comes by the link of their mail, once, and sees their sites and no accounts. */
  async comes({ url, name, site }) {
    await fresh()
    await page.goto(url)
    await text(name)
    await text(site)
    await page.getByRole('button', { name: 'Réglages' }).click()
    same(await page.getByRole('link', { name: 'Comptes' }).count(), 0, 'a way to accounts')
    await page.goto(`${home}/#/people`)
    await text('n’existe pas')
    await fresh()
    await page.goto(url)
    await text('n’est plus valable')
  },

  /** Suspended: the account opens nothing; back again, then removed. */
  async suspends({ url, name }) {
    await fresh()
    await page.goto(url)
    await page.getByRole('button', { name: 'Réglages' }).click()
    await page.getByRole('link', { name: 'Comptes' }).click()
    const row = page.locator(`li[data-person="${name}"]`)
    await row.locator('[data-suspend]').click()
    await row.getByText('suspendu', { exact: true }).waitFor()
    await row.locator('[data-suspend]').click()
    await row.locator('[data-link]').click()
    await page.locator('dialog [data-how=link]').check()
    await page.locator('dialog [data-send]').click()
    same((await page.locator('[data-shown]').innerText()).includes('/#login='), true, 'a link that is shown once')
    await page.locator('dialog .btn.main').click()
    await row.locator('[data-remove]').click()
    await row.locator('[data-remove]').click()
    await row.waitFor({ state: 'detached' })
  },

  /** Asks the head of a collège for an opening, from the page of its hours. */
  async asks({ url, site, head, key }) {
    await fresh()
    await page.goto(url)
    await page.locator('nav').first().waitFor()
    await page.goto(`${home}/#/sites/${site}/hours`)
    await page.locator('#hours-accords > summary').click()
    await page.locator('[data-accord-add]').click()
    await page.locator('dialog [data-accord=head]').fill(head)
    await page.locator('dialog [data-accord=key]').fill(key)
    await shot('ask')
    await page.locator('dialog .btn.main').click()
    await text('partira à l’enregistrement')
    await page.locator('.foot [data-save]:not([disabled])').click()
    await text('En attente de l’accord du chef d’établissement')
    await page.locator('[data-ask-again]').waitFor()
    await shot('asked')
    // Not one message after the other.
    await page.locator('[data-ask-again]').click()
    await text('moins de dix minutes')
    errors.length = 0 // a 409, which the browser reports
  },

  /** Opens a page and presses nothing. */
  async opens({ url }) {
    await fresh()
    await page.goto(url)
    await page.locator('[data-accord=accepted]').waitFor()
    same((await context.cookies(home)).map((c) => c.name), [], 'cookies')
    await shot('accord')
  },

  async answers({ url, what, says }) {
    await fresh()
    await page.goto(url)
    await page.locator(`[data-accord=${what}]`).click()
    await text(says)
    await shot(`accord-${what}`)
  },

  /** A link that was used shows a sentence, and no button. */
  async spent({ url }) {
    await fresh()
    await page.goto(url)
    await text('n’est plus valable')
    same(await page.locator('[data-accord]').count(), 0, 'buttons')
    errors.length = 0 // a 410, which the browser reports
  },

  async told({ url, site, says }) {
    await fresh()
    await page.goto(url)
    await page.locator('nav').first().waitFor()
    await page.goto(`${home}/#/sites/${site}/hours`)
    await page.locator('#hours-accords > summary').click()
    await text(says)
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
