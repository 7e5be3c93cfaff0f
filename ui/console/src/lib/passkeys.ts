/** What browsers give and take as bytes, the controller writes as base64url (WebAuthn 5.1.8). */
export const bytes = (text: string): ArrayBuffer => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)).buffer
export const text = (b: ArrayBuffer | null): string => (b ? btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') : '')

/** Whether this browser has passkeys at all. */
export const capable = (): boolean => typeof PublicKeyCredential === 'function'

interface Named {
  id: string
  type: 'public-key'
}
const named = (all: Named[] | undefined) => (all ?? []).map((c) => ({ ...c, id: bytes(c.id) }))

/** Somebody who closes the device's own window has changed their mind, which is no error. */
async function ask(work: Promise<Credential | null>): Promise<PublicKeyCredential | undefined> {
  try {
    return ((await work) as PublicKeyCredential | null) ?? undefined
  } catch (e) {
    if (e instanceof DOMException && (e.name === 'NotAllowedError' || e.name === 'AbortError')) return undefined
    throw e
  }
}

/** Lets the device make a passkey; nothing when the person gave up. */
export async function makeKey(options: string): Promise<string | undefined> {
  const o = JSON.parse(options)
  const made = await ask(navigator.credentials.create({ publicKey: { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: named(o.excludeCredentials) } }))
  if (!made) return undefined
  const r = made.response as AuthenticatorAttestationResponse
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response: { clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject), transports: r.getTransports() } })
}

/** Lets the person choose a passkey of theirs; nothing when they gave up. */
export async function getKey(options: string): Promise<string | undefined> {
  const o = JSON.parse(options)
  const got = await ask(navigator.credentials.get({ publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: named(o.allowCredentials) } }))
  if (!got) return undefined
  const r = got.response as AuthenticatorAssertionResponse
  return JSON.stringify({ id: got.id, rawId: text(got.rawId), type: got.type, response: { clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature), userHandle: text(r.userHandle) } })
}
