import { readFile } from 'node:fs/promises'
import type { Plugin } from 'vite'
import { compileCatalogue } from './compile.ts'

/**
 * Serves `import m from '…/fr.json?messages=terminal,reason'` as compiled
 * messages of those namespaces only: a page carries the words it can show.
 */
export function catalogues(): Plugin {
  return {
    name: 'borne-catalogues',
    enforce: 'pre',
    async load(id) {
      const [file, query = ''] = id.split('?')
      const names = new URLSearchParams(query).get('messages')
      if (names === null || !file!.endsWith('.json')) return null
      this.addWatchFile(file!)
      const json = JSON.parse(await readFile(file!, 'utf8')) as Record<string, string>
      return { code: `export default ${JSON.stringify(compileCatalogue(json, names ? names.split(',') : []))}`, map: null, moduleType: 'js' }
    },
  }
}
