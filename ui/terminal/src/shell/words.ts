import en from '../../../catalogues/en.json?messages=terminal,reason,check,lang,lists'
import simple from '../../../catalogues/fr-x-facile.json?messages=terminal,reason,check,lang,lists'
import fr from '../../../catalogues/fr.json?messages=terminal,reason,check,lang,lists'

/** Languages this page can speak. */
export const spoken = { fr, en, 'fr-x-facile': simple }
