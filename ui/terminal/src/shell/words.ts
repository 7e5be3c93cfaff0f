import en from '../../../catalogues/en.json?messages=terminal,print,reason,check,fix,prop,lang,lists'
import simple from '../../../catalogues/fr-x-facile.json?messages=terminal,print,reason,check,fix,prop,lang,lists'
import fr from '../../../catalogues/fr.json?messages=terminal,print,reason,check,fix,prop,lang,lists'

/** Languages this page can speak. */
export const spoken = { fr, en, 'fr-x-facile': simple }
