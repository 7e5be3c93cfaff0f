import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { lacking, lacks, soon } from './printer.ts'

const catalogue = JSON.parse(readFileSync(new URL('../catalogues/fr.json', import.meta.url), 'utf8')) as Record<string, string>

describe('lacking', () => {
  it.each([
    [['none'], []],
    [[], []],
    [['media-empty-error'], ['paper']],
    [['media-needed'], ['paper']],
    [['media-empty-warning'], ['paper-low']],
    [['media-low-report'], ['paper-low']],
    [['media-jam-error'], ['jam']],
    [['media-jam-warning'], ['jam']],
    [['door-open'], ['door']],
    [['cover-open-report'], ['door']],
    [['toner-empty-error'], ['toner']],
    [['marker-supply-empty'], ['toner']],
    [['marker-supply-low-warning'], ['toner-low']],
    [['input-tray-missing-error'], ['tray']],
    [['marker-waste-full-error'], ['waste']],
    [['marker-waste-almost-full-warning'], ['waste-low']],
    [['output-area-full-warning'], ['output']],
    [['opc-near-eol-report'], ['wear-low']],
    [['offline'], ['offline']],
    [['untrusted'], ['stranger']],
    [['offline-report'], ['offline']],
    [['paused'], ['paused']],
    [['MEDIA-EMPTY-ERROR '], ['paper']],
    [['the-cat-sits-on-it'], ['help']],
    [['constructor', 'a\nb-error'], ['help']],
    [['the-cat-sits-on-it-error'], ['help']],
    [['the-cat-sits-on-it-report'], []],
    [['-error', '', 'cups-waiting-for-job-completed', 'connecting-to-device'], []],
    // Each once, the most pressing first, whatever the order.
    [['marker-supply-low-warning', 'paused', 'media-needed', 'media-empty-error', 'media-jam'], ['paper', 'jam', 'paused', 'toner-low']],
  ])('%j', (reasons, want) => expect(lacking(reasons)).toEqual(want))

  it('takes what an older agent leaves out', () => expect([lacking(undefined), lacking(null)]).toEqual([[], []]))
})

it('has words for everything, and whole sentences for what stops it', () => {
  for (const l of lacks) {
    expect(catalogue[`print.state.${l}`], l).toBeTruthy()
    if (!soon(l)) expect(catalogue[`print.trouble.${l}`], l).toBeTruthy()
  }
})
