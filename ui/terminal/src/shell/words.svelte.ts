import fr from '../../../catalogues/fr.json?messages=terminal,print,reason,check,fix,prop,lang,lists'
import type { Messages } from '../../../shared/i18n/format.ts'

/** The other languages come when the page stands: a person waits for one at most. */
const others: Record<string, () => Promise<{ default: Messages }>> = {
  en: () => import('../../../catalogues/en.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  'fr-x-facile': () => import('../../../catalogues/fr-x-facile.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  ar: () => import('../../../catalogues/ar.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  pt: () => import('../../../catalogues/pt.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  es: () => import('../../../catalogues/es.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  tr: () => import('../../../catalogues/tr.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  sq: () => import('../../../catalogues/sq.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  ro: () => import('../../../catalogues/ro.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  uk: () => import('../../../catalogues/uk.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  it: () => import('../../../catalogues/it.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
  de: () => import('../../../catalogues/de.json?messages=terminal,print,reason,check,fix,prop,lang,lists'),
}

/** Languages that this page has a catalogue of. */
export const languages = ['fr', ...Object.keys(others)]

/** Catalogues by language, as far as they have come; French is there from the start. */
export class Words {
  spoken = $state.raw<Record<string, Messages>>({ fr })
  #coming = new Set<string>()

  /** Has a language's catalogue come. One that failed is asked for again the next time. */
  async bring(lang: string): Promise<void> {
    const load = others[lang]
    if (!load || this.#coming.has(lang)) return
    this.#coming.add(lang)
    try {
      const { default: messages } = await load()
      this.spoken = { ...this.spoken, [lang]: messages }
    } catch {
      this.#coming.delete(lang)
    }
  }
}
