import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { catalogues } from './shared/i18n/plugin.ts'

export default defineConfig({
  plugins: [catalogues(), svelte()],
  test: { include: ['shared/**/*.test.ts', 'terminal/src/**/*.test.ts', 'console/src/**/*.test.ts'], environment: 'node' },
})
