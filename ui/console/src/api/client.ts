import type * as T from './types.ts'

/** One wrong field of a request: where ("session.minutes") and why, in French. */
export interface Wrong {
  at: string
  message: string
}

/** An answer that is no success, with a sentence for the person. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly wrong: Wrong[] = [],
  ) {
    super(detail)
  }
}

/** Status of a Problem when no answer came at all. */
export const UNREACHABLE = 0
const WAIT_MS = 20_000
/** For a file, and for what the server fetches elsewhere first. */
const FILE_MS = 45_000

export interface Answer<B> {
  body: B
  etag: string
}

/** Reads an RFC 9457 document; whatever else came becomes a Problem without fields. */
export function problemOf(status: number, text: string): Problem {
  try {
    const p = JSON.parse(text) as { detail?: unknown; errors?: { location?: unknown; message?: unknown }[] | null }
    const wrong = (p.errors ?? []).map((e) => ({ at: String(e.location ?? '').replace(/^body\.(policy\.)?/, ''), message: String(e.message ?? '') }))
    return new Problem(status, typeof p.detail === 'string' ? p.detail : '', wrong)
  } catch {
    return new Problem(status, '')
  }
}

let known: (known: boolean) => void = () => {}

/** Calls back after each answer: whether the controller knows who this is. */
export function onKnown(run: (known: boolean) => void): void {
  known = run
}

/** A body that is a file goes as it is. */
async function call<B>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, wait = WAIT_MS): Promise<Answer<B>> {
  const file = body instanceof Blob
  let r: Response
  let text: string
  try {
    r = await fetch('/api' + path, {
      method,
      headers: { accept: 'application/json', ...(method === 'GET' ? {} : { 'x-borne': '1' }), ...(body === undefined ? {} : { 'content-type': file ? 'application/octet-stream' : 'application/json' }), ...headers },
      body: body === undefined || file ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(wait),
    })
    text = await r.text()
  } catch {
    throw new Problem(UNREACHABLE, '')
  }
  if (!r.ok) {
    if (r.status === 401 && !path.startsWith('/login')) known(false)
    throw problemOf(r.status, text)
  }
  known(true)
  return { body: (text ? JSON.parse(text) : undefined) as B, etag: r.headers.get('etag') ?? '' }
}

const get = async <B>(path: string) => (await call<B>('GET', path)).body
const id = encodeURIComponent
type Level = 'all' | 'groups' | 'sites' | 'spaces' | 'terminals'
const rulesOf = (level: Level, of: string): string => (level === 'all' ? '/policy' : `/${level}/${id(of)}/policy`)
/** A place's own path: its hours are below it. */
export const placeOf = (level: 'sites' | 'spaces', of: string): string => `/${level}/${id(of)}`
const page = (before?: string) => (before ? `?limit=25&before=${id(before)}` : '?limit=25')

export const api = {
  login: async (token: string) => (await call<T.Me>('POST', '/login/link', { token })).body,
  ways: () => get<T.LoginWays>('/login'),
  loginElsewhere: async () => (await call<T.Elsewhere>('POST', '/login/oidc')).body.address ?? '',
  askPasskey: async () => (await call<T.PasskeyAsk>('POST', '/login/passkey/options')).body.options,
  loginPasskey: async (response: string) => (await call<T.Me>('POST', '/login/passkey', { response })).body,
  passkeys: () => get<T.PasskeyList>('/me/passkeys'),
  askNewPasskey: async () => (await call<T.PasskeyAsk>('POST', '/me/passkeys/options')).body.options,
  addPasskey: async (name: string, response: string) => (await call<T.PasskeyList>('POST', '/me/passkeys', { name, response })).body,
  renamePasskey: async (key: string, name: string) => (await call<T.PasskeyList>('PUT', `/me/passkeys/${id(key)}`, { name })).body,
  removePasskey: async (key: string) => (await call<T.PasskeyList>('DELETE', `/me/passkeys/${id(key)}`)).body,
  /** Answers where to log out as well, or nothing. */
  logout: async () => (await call<T.Elsewhere>('POST', '/logout')).body.address ?? '',
  me: () => get<T.Me>('/me'),
  fleet: () => get<T.Fleet>('/fleet'),
  terminal: (t: string) => get<T.TerminalDetail>(`/terminals/${id(t)}`),
  sessions: (t: string, before?: string) => get<T.SessionPage>(`/terminals/${id(t)}/sessions${page(before)}`),
  receipts: (t: string, before?: string) => get<T.ReceiptPage>(`/terminals/${id(t)}/receipts${page(before)}`),
  receipt: (r: string) => get<T.ReceiptView>(`/receipts/${id(r)}`),
  commands: (t: string, before?: string) => get<T.CommandPage>(`/terminals/${id(t)}/commands${page(before)}`),
  command: async (t: string, c: T.CommandRequest) => (await call<T.Accepted>('POST', `/terminals/${id(t)}/commands`, c)).body,
  awake: async (space: string, minutes: number) => (await call<T.AwakeView>('POST', `/spaces/${id(space)}/awake`, { minutes })).body,
  enrol: async (site: string, r: T.EnrolRequest) => (await call<T.EnrolCode>('POST', `/sites/${id(site)}/enrol-codes`, r)).body,
  sites: () => get<T.SitesView>('/sites'),
  createSite: async (r: T.SiteRequest) => (await call<T.SiteCard>('POST', '/sites', r)).body,
  putSite: async (site: string, rev: number, r: T.SiteRequest) => (await call<T.SiteCard>('PUT', `/sites/${id(site)}`, r, { 'if-match': `"${rev}"` })).body,
  closeSite: async (site: string, closed: boolean) => (await call<T.SiteCard>('PUT', `/sites/${id(site)}/closed`, { closed })).body,
  createSpace: async (site: string, r: T.SpaceRequest) => (await call<T.SpaceCard>('POST', `/sites/${id(site)}/spaces`, r)).body,
  putSpace: async (space: string, rev: number, r: T.SpaceRequest) => (await call<T.SpaceCard>('PUT', `/spaces/${id(space)}`, r, { 'if-match': `"${rev}"` })).body,
  closeSpace: async (space: string, closed: boolean) => (await call<T.SpaceCard>('PUT', `/spaces/${id(space)}/closed`, { closed })).body,
  sitesFile: () => get<T.SitesFile>('/sites-file'),
  importSites: async (csv: string, check: boolean) => (await call<T.SitesImported>('POST', '/sites-file', { csv, check }, {}, FILE_MS)).body,
  cancelEnrol: (site: string, code: string) => call<void>('DELETE', `/sites/${id(site)}/enrol-codes/${id(code)}`),
  placeTerminal: async (t: string, r: T.PlaceRequest) => (await call<T.TerminalCard>('PUT', `/terminals/${id(t)}/place`, r)).body,
  revokeTerminal: (t: string) => call<void>('POST', `/terminals/${id(t)}/revoke`),
  report: (site: string) => get<T.Report>(`/sites/${id(site)}/report`),
  energy: (site: string, from: string, to: string) => get<T.EnergyReport>(`/sites/${id(site)}/energy?from=${id(from)}&to=${id(to)}`),
  figures: () => call<T.EnergyFiguresView>('GET', '/energy/figures'),
  putFigures: (etag: string, r: T.EnergyFiguresRequest) => call<T.EnergyFiguresView>('PUT', '/energy/figures', r, { 'if-match': etag }),
  indicators: (q: { from: string; to: string; by?: string; of?: string; guarded?: boolean }) => get<T.IndicatorsReport>(`/indicators?from=${id(q.from)}&to=${id(q.to)}&by=${id(q.by ?? '')}&of=${id(q.of ?? '')}${q.guarded ? '&guarded=true' : ''}&limit=500`),
  certify: async (site: string, month: string) => (await call<T.CertificateView>('POST', `/sites/${id(site)}/certificates`, { month })).body,
  policy: (level: Level, of: string) => call<T.PolicyView>('GET', rulesOf(level, of)),
  putPolicy: (level: Level, of: string, etag: string, r: T.PolicyRequest) => call<T.PolicyView>('PUT', rulesOf(level, of), r, { 'if-match': etag }),
  previewPolicy: async (level: Level, of: string, r: T.PolicyRequest) => (await call<T.PolicyPreview>('POST', `${rulesOf(level, of)}/preview`, r)).body,
  policyChanges: async (level: Level, of: string) => (await get<{ changes: T.PolicyChange[] }>(`${rulesOf(level, of)}/changes`)).changes,
  undoPolicy: (level: Level, of: string, etag: string, change: string) => call<T.PolicyView>('POST', `${rulesOf(level, of)}/undo`, { id: change }, { 'if-match': etag }),
  orderRollout: (level: Level, of: string, action: T.RolloutRequest['action']) => call<T.PolicyView>('POST', `${rulesOf(level, of)}/rollout`, { action }),
  groups: async () => (await get<T.GroupsView>('/groups')).groups,
  createGroup: async (r: T.GroupRequest) => (await call<T.GroupView>('POST', '/groups', r)).body,
  putGroup: async (g: string, rev: number, r: T.GroupRequest) => (await call<T.GroupView>('PUT', `/groups/${id(g)}`, r, { 'if-match': `"${rev}"` })).body,
  removeGroup: async (g: string, rev: number) => (await call<T.GroupsView>('DELETE', `/groups/${id(g)}`, undefined, { 'if-match': `"${rev}"` })).body.groups,
  hours: (at: string) => call<T.HoursView>('GET', `${at}/hours`),
  putHours: (at: string, etag: string, r: { hours: T.Hours; inherit: boolean; note?: string }) => call<T.HoursView>('PUT', `${at}/hours`, r, { 'if-match': etag }),
  previewHours: async (at: string, hours: T.Hours, from: string, days: number) => (await call<T.Preview>('POST', `${at}/hours/preview`, { hours, from, days })).body,
  hoursChanges: async (at: string) => (await get<{ changes: T.HoursChange[] }>(`${at}/hours/changes`)).changes,
  undoHours: (at: string, etag: string, change: string) => call<T.HoursView>('POST', `${at}/hours/undo`, { id: change }, { 'if-match': etag }),
  people: (before = '') => get<T.AccountsView>(`/accounts?limit=200${before ? `&before=${id(before)}` : ''}`),
  invite: async (r: T.InviteRequest) => (await call<T.AccountLink>('POST', '/accounts', r)).body,
  putAccount: async (a: string, rev: number, r: T.AccountRequest) => (await call<T.AccountView>('PUT', `/accounts/${id(a)}`, r, { 'if-match': `"${rev}"` })).body,
  removeAccount: (a: string, rev: number) => call<void>('DELETE', `/accounts/${id(a)}`, undefined, { 'if-match': `"${rev}"` }),
  accountLink: async (a: string, r: T.LinkRequest) => (await call<T.AccountLink>('POST', `/accounts/${id(a)}/link`, r)).body,
  tokens: async () => (await get<T.TokensView>('/tokens?limit=200')).tokens,
  makeToken: async (r: T.TokenRequest) => (await call<T.TokenMade>('POST', '/tokens', r)).body,
  revokeToken: async (k: string) => (await call<T.TokensView>('DELETE', `/tokens/${id(k)}`)).body.tokens,
  askAgreement: async (site: string, a: string) => (await call<T.ConsentView>('POST', `/sites/${id(site)}/agreements/${id(a)}/ask`)).body,
  decideAgreement: async (site: string, a: string, answer: T.ConsentDecision['answer']) => (await call<T.ConsentAsked>('POST', `/sites/${id(site)}/agreements/${id(a)}/answer`, { answer })).body,
  askedAgreement: async (token: string) => (await call<T.ConsentAsked>('POST', '/agreements/view', { token })).body,
  answerAgreement: async (token: string, answer: T.ConsentDecision['answer']) => (await call<T.ConsentAsked>('POST', '/agreements/answer', { token, answer })).body,
  applyHours: async (hours: T.Hours, sites: string[]) => (await call<T.Applied>('POST', '/hours/apply', { hours, sites })).body,
  readHours: async (text: string, zone: string) => (await call<T.OSMView>('POST', '/hours/osm', { text, ...(zone ? { zone } : {}) })).body.hours,
  alerts: () => get<T.AlertsView>('/me/alerts'),
  putAlerts: async (r: T.AlertsRequest) => (await call<T.AlertsView>('PUT', '/me/alerts', r)).body,
  answerHelp: async (t: string, r: T.HelpAnswer) => (await call<T.Accepted>('POST', `/terminals/${id(t)}/help`, r)).body,
  previewBulk: async (r: T.BulkRequest) => (await call<T.BulkPreview>('POST', '/bulk/preview', r)).body,
  sendBulk: async (r: T.BulkOrder) => (await call<T.BulkView>('POST', '/bulk', r)).body,
  bulks: (before = '') => get<T.BulkList>(`/bulk?limit=20${before ? `&before=${id(before)}` : ''}`),
  bulk: (b: string) => get<T.BulkView>(`/bulk/${id(b)}`),
  hooks: () => get<T.HookList>('/hooks'),
  addHook: async (r: T.HookRequest) => (await call<T.HookView>('POST', '/hooks', r)).body,
  putHook: async (h: string, rev: string, r: T.HookRequest) => (await call<T.HookView>('PUT', `/hooks/${id(h)}`, r, { 'if-match': `"${rev}"` })).body,
  removeHook: (h: string) => call<void>('DELETE', `/hooks/${id(h)}`),
  renewHookKey: async (h: string) => (await call<T.HookView>('POST', `/hooks/${id(h)}/key`)).body,
  tryHook: async (h: string) => (await call<T.HookView>('POST', `/hooks/${id(h)}/try`)).body,
  pin: (level: 'sites' | 'spaces' | 'terminals', of: string) => get<T.PINView>(`/${level}/${id(of)}/pin`),
  putPin: async (level: 'sites' | 'spaces' | 'terminals', of: string, what: T.PINRequest['what'], pin: string) => (await call<T.PINView>('PUT', `/${level}/${id(of)}/pin`, { what, ...(pin ? { pin } : {}) })).body,
  matters: () => get<T.MattersView>('/matters'),
  takeMatter: async (m: string, taken: boolean, note = '') => (await call<T.MatterView>('PUT', `/matters/${id(m)}/taken`, { taken, ...(note ? { note } : {}) })).body,
  prints: () => get<T.PrintsView>('/prints'),
  printJobs: (t: string, before?: string) => get<T.PrintJobPage>(`/terminals/${id(t)}/prints${page(before)}`),
  orderPrint: async (t: string, job: string, action: 'release' | 'refuse', text = '') => (await call<T.Accepted>('POST', `/terminals/${id(t)}/prints/${id(job)}`, { action, ...(text ? { text } : {}) })).body,
  decidePrint: async (job: string, charge: number, reason: string) => (await call<T.PrintJobView>('POST', `/prints/${id(job)}/decision`, { charge, reason })).body,
  grantPages: async (t: string, session: string, pages: number, reason: string) => (await call<T.Accepted>('POST', `/terminals/${id(t)}/pages`, { session, pages, reason })).body,
  printers: (site: string) => get<T.SitePrinters>(`/sites/${id(site)}/printers`),
  badges: (find = '', after = '', limit = 100) => get<T.BadgesView>(`/badges?${new URLSearchParams({ find, after, limit: String(limit) })}`),
  badgeDesk: () => get<T.BadgeDesk>('/badge-desk'),
  awaitBadge: async (t: string, r: T.WindowRequest) => (await call<T.WindowView>('POST', `/terminals/${id(t)}/badges`, r)).body,
  awaitedBadge: (t: string, w: string) => get<T.WindowView>(`/terminals/${id(t)}/badges/${id(w)}`),
  putBadge: async (n: string, rev: string, r: T.BadgeChange) => (await call<T.BadgeView>('PUT', `/badges/${id(n)}`, r, { 'if-match': `"${rev}"` })).body,
  lostBadge: async (n: string, lost: boolean) => (await call<T.BadgeView>('POST', `/badges/${id(n)}/lost`, { lost })).body,
  dayBadge: async (n: string, given: boolean) => (await call<T.BadgeView>('POST', `/badges/${id(n)}/day`, { given })).body,
  exportBadge: (n: string) => get<T.BadgeExport>(`/badges/${id(n)}/export`),
  eraseBadge: async (n: string) => (await call<T.Erased>('POST', `/badges/${id(n)}/erase`)).body,
  badgesFile: () => get<T.BadgesFile>('/badges-file'),
  importBadges: async (csv: string, check: boolean) => (await call<T.Imported>('POST', '/badges-file', { csv, check }, {}, FILE_MS)).body,
  makeCodes: async (site: string, r: T.CodesRequest) => (await call<T.CodesView>('POST', `/sites/${id(site)}/day-codes`, r)).body,
  dropStaffBadge: (site: string, b: string) => call<void>('DELETE', `/sites/${id(site)}/staff-badges/${id(b)}`),
  cancelCodes: (site: string, sheet: string) => call<void>('POST', `/sites/${id(site)}/day-codes/${id(sheet)}/cancel`),
  audit: (before?: string) => get<T.AuditPage>(`/audit${page(before)}`),
  inventory: () => get<T.Inventory>('/inventory'),
  requisitions: () => get<T.RequisitionsView>('/requisitions'),
  askHold: async (r: T.HoldRequest) => (await call<T.HoldView>('POST', '/requisitions', r)).body,
  confirmHold: async (h: string) => (await call<T.HoldView>('POST', `/requisitions/${id(h)}/confirm`)).body,
  liftHold: async (h: string) => (await call<T.HoldView>('POST', `/requisitions/${id(h)}/lift`)).body,
  decideTraffic: async (r: T.TrafficRequest) => (await call<T.TrafficView>('PUT', '/traffic', r)).body,
  deletions: (before?: string) => get<T.DeletionPage>(`/deletions${page(before)}`),
  calendars: () => get<T.CalendarsView>('/calendars'),
  putCalendar: async (zone: string, file: Blob, anyway = false) => (await call<T.CalendarView>('PUT', `/calendars/${id(zone)}${anyway ? '?anyway=true' : ''}`, file, {}, FILE_MS)).body,
  fetchCalendar: async (zone: string, address: string) => (await call<T.CalendarView>('POST', `/calendars/${id(zone)}/fetch`, { address }, {}, FILE_MS)).body,
  helpPlaces: () => get<T.HelpView>('/help-places'),
  putPlaces: async (file: Blob, check: boolean) => (await call<T.HelpFound>('PUT', `/help-places${check ? '?check=true' : ''}`, file, {}, FILE_MS)).body,
  placeSite: async (site: string, at?: { lat: number; lon: number }) => (await call<T.HelpSite>('PUT', `/sites/${id(site)}/position`, at ?? {})).body,
  notices: (site = '') => get<T.Notices>(site ? `/sites/${id(site)}/notices` : '/notices'),
  lists: () => get<T.Lists>('/lists'),
}
