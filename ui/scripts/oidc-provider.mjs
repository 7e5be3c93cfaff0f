// A real OpenID provider for tests, on loopback and a free port, by the rules of
// ProConnect: userinfo is a signed JWT, state and nonce have at least 32
// characters, any parameter that is not listed is refused, a code lives for 30
// seconds. PEOPLE is { login: claims }; BACK and OUT are where it may send people
// back to. It prints its issuer, and ends when its standard input does.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const people = JSON.parse(process.env.PEOPLE)
const secret = process.env.SECRET
const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more })

const server = createServer()
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`
const client = (client_id, more) => ({
  client_id,
  client_secret: secret,
  redirect_uris: JSON.parse(process.env.BACK),
  post_logout_redirect_uris: JSON.parse(process.env.OUT),
  response_types: ['code'],
  grant_types: ['authorization_code'],
  token_endpoint_auth_method: 'client_secret_post',
  ...more,
})

const page = (body) => `<!doctype html><meta charset="utf-8"><title>Fournisseur d’identité</title>${body}`
const provider = new Provider(issuer, {
  clients: [
    client('borne', { userinfo_signed_response_alg: 'RS256' }),
    client('borne-ec', { userinfo_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256' }),
    client('borne-json'),
  ],
  jwks: { keys: [jwk('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: 'rsa' }), jwk('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: 'ec' })] },
  cookies: { keys: [secret] },
  scopes: ['openid', 'email'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: true,
  pkce: { required: () => true },
  ttl: { AuthorizationCode: 30, AccessToken: 60, IdToken: 60, Interaction: 600, Session: 600, Grant: 600 },
  features: {
    devInteractions: { enabled: false },
    jwtUserinfo: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource(ctx, form) {
        ctx.body = page(`<h1>Se déconnecter du fournisseur ?</h1>${form}<button form="op.logoutForm" name="logout" value="yes">Oui</button>`)
      },
    },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid email')
    await grant.save()
    return grant
  },
  renderError(ctx, out) {
    ctx.type = 'html'
    ctx.body = page(`<h1>${out.error}</h1><pre>${String(out.error_description ?? '').replace(/[<&]/g, '')}</pre>`)
  },
})
provider.on('server_error', (_, e) => process.stderr.write(`${e.stack}\n`))

const listed = ['response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'prompt', 'code_challenge', 'code_challenge_method']

/** What ProConnect answers Y000400 to. */
function refuses(url) {
  if (url.pathname !== '/auth') return false
  const q = url.searchParams
  return [...q.keys()].some((k) => !listed.includes(k)) || (q.get('state') ?? '').length < 32 || (q.get('nonce') ?? '').length < 32
}

async function interact(req, res) {
  await provider.interactionDetails(req, res)
  if (req.method !== 'POST') {
    res.setHeader('content-type', 'text/html; charset=utf-8')
    return res.end(page('<h1>Qui êtes-vous ?</h1><form method="post"><label>Identifiant <input name="login" autofocus></label> <button>Continuer</button> <button name="cancel" value="1">Annuler</button></form>'))
  }
  let text = ''
  for await (const chunk of req) if ((text += chunk).length > 4096) throw new Error('too long')
  const form = new URLSearchParams(text)
  const login = form.get('login')
  const result = form.get('cancel') ? { error: 'access_denied' } : people[login] ? { login: { accountId: login } } : { error: 'access_denied' }
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
}

const answer = provider.callback()
server.on('request', (req, res) => {
  const url = new URL(req.url, issuer)
  if (refuses(url)) {
    res.statusCode = 400
    return res.end('Y000400')
  }
  if (!url.pathname.startsWith('/interaction/')) return answer(req, res)
  interact(req, res).catch((e) => {
    res.statusCode = 400
    res.end(String(e.message))
  })
})
process.stdin.on('end', () => process.exit(0)).resume()
process.stdout.write(`${issuer}\n`)
