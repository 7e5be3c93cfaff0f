import type reference from '../../catalogues/fr.json'

/** Every key of the reference catalogue: a misspelt one does not compile. */
export type Key = keyof typeof reference
