import { describe, expect, it } from 'vitest'
import { styled, type Sheet } from './styles.ts'

describe('styled', () => {
  it('asks for nothing that is there', async () => {
    await styled([{ href: 'a', sheet: {} }], () => {
      throw new Error('asked again')
    })
  })
  it('asks again until each is there', async () => {
    const asked: string[] = []
    const all: Sheet[] = [
      { href: 'a', sheet: null },
      { href: 'b', sheet: {} },
      { href: 'c', sheet: null },
    ]
    await styled(all, async (link, n) => {
      asked.push(`${link.href}${n}`)
      return { href: link.href, sheet: n === (link.href === 'a' ? 3 : 1) ? {} : null }
    })
    expect(asked.sort()).toEqual(['a1', 'a2', 'a3', 'c1'])
  })
})
