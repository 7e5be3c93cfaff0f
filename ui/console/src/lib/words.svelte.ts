import en from '../../../catalogues/en.json?messages=console,print,reason,fix,prop,result,level,purpose,lists'
import fr from '../../../catalogues/fr.json?messages=console,print,reason,fix,prop,result,level,purpose,lists'
import { translator, type Args } from '../../../shared/i18n/format.ts'
import type { Key } from '../../../shared/i18n/keys.ts'

export type Lang = 'fr' | 'en'
const kept = 'borne.lang'

function first(): Lang {
  const stored = localStorage.getItem(kept)
  if (stored === 'fr' || stored === 'en') return stored
  return navigator.languages.find((l) => /^(fr|en)\b/.test(l))?.startsWith('en') ? 'en' : 'fr'
}

class Words {
  lang = $state<Lang>(first())
  t = $derived(translator<Key>({ fr, en }, this.lang))

  choose(lang: Lang): void {
    this.lang = lang
    localStorage.setItem(kept, lang)
  }
}

export const words = new Words()
export const t = (key: Key, args?: Args): string => words.t(key, args)
/** The sentence of a code of the protocol, or a neutral one for a code newer than this page. */
export const sentence = (prefix: 'reason.' | 'purpose.' | 'console.check.' | 'prop.' | 'fix.' | 'result.' | 'level.' | 'console.command.' | 'console.audit.' | 'console.role.' | 'console.people.role.' | 'console.health.' | 'console.device.' | 'console.kind.' | 'console.sites.state.' | 'console.outcome.' | 'console.basis.' | 'console.attend.level.' | 'console.alertmail.level.' | 'console.badges.why.' | 'console.badges.is.' | 'console.retention.' | 'console.requisitions.state.' | 'console.requisitions.class.' | 'console.table.' | 'console.prints.state.' | 'console.printers.state.' | 'console.power.' | 'console.supply.' | 'console.cert.end.' | 'console.cert.found.' | 'console.cert.chain.' | 'console.staff.' | 'console.team.act.', code: string | undefined): string => {
  const found = words.t.code(prefix, code, 'reason.none')
  return found === words.t('reason.none') && code ? code : found
}

/** What one check counted, before and after, as a sentence. */
export const checkSentence = (c: { name: string; before: number; after: number }): string =>
  words.t.code('console.receipt.check.', c.name, 'console.receipt.check.other', { before: c.before, after: c.after })

/** A category of protection: its label, or its own name when this page knows none. */
export const category = (code: string): string => {
  const found = words.t.code('lists.', code, 'lists.other')
  return found === words.t('lists.other') ? code : found
}
