import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { config } from './vite.shared.ts'

const at = (p: string) => fileURLToPath(new URL(p, import.meta.url))

export default defineConfig(config(at('./console'), '/', { index: at('./console/index.html') }))
