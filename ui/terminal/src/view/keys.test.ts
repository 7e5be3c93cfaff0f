import { expect, it } from 'vitest'
import { input, point } from './keys.ts'

const press = (key: string, mods: Partial<Parameters<typeof input>[0]> = {}) => input({ key, ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, ...mods })

it('turns presses into text or X keys', () => {
  expect(press('é')).toEqual({ type: 'text', text: 'é' })
  expect(press('A', { shiftKey: true })).toEqual({ type: 'text', text: 'A' })
  expect(press('@', { ctrlKey: true, altKey: true })).toEqual({ type: 'text', text: '@' }) // AltGr
  expect(press(' ')).toEqual({ type: 'key', key: 'space' })
  expect(press('Enter')).toEqual({ type: 'key', key: 'Return' })
  expect(press('P', { ctrlKey: true, shiftKey: true })).toEqual({ type: 'key', key: 'ctrl+shift+p' })
  expect(press('F4', { altKey: true })).toEqual({ type: 'key', key: 'alt+F4' })
  expect(press('Shift', { shiftKey: true })).toBeUndefined()
  expect(press('Dead')).toBeUndefined()
})

it('scales points to the screen and keeps them on it', () => {
  const box = { left: 100, top: 50, width: 640, height: 400 }
  const screen = { width: 1280, height: 800 }
  expect(point({ x: 420, y: 250 }, box, screen)).toEqual({ x: 640, y: 400 })
  expect(point({ x: 5000, y: -5 }, box, screen)).toEqual({ x: 1279, y: 0 })
})
