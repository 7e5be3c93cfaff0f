import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Plugin, UserConfig } from 'vite'
import { catalogues } from './shared/i18n/plugin.ts'

/** Keeps the committed .gitkeep that lets a bare `go build` embed dist/. */
function gitkeep(): Plugin {
  return {
    name: 'borne-gitkeep',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: '.gitkeep', source: '' })
    },
  }
}

export function config(root: string, base: string, input: Record<string, string>): UserConfig {
  return {
    root,
    base,
    publicDir: false,
    plugins: [catalogues(), svelte({ configFile: '../svelte.config.js' }), gitkeep()],
    build: {
      outDir: 'dist',
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0, // a strict content policy forbids data: addresses
      rolldownOptions: { input },
    },
  }
}
