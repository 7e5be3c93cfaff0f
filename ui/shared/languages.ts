/** Languages by their own name, in their own script, with the direction they are read in. */
const known: Record<string, { name: string; dir?: 'rtl' }> = {
  fr: { name: 'Français' },
  'fr-x-facile': { name: 'Français simple' },
  en: { name: 'English' },
  ar: { name: 'العربية', dir: 'rtl' },
  pt: { name: 'Português' },
  es: { name: 'Español' },
  tr: { name: 'Türkçe' },
  sq: { name: 'Shqip' },
  ro: { name: 'Română' },
  uk: { name: 'Українська' },
  it: { name: 'Italiano' },
  de: { name: 'Deutsch' },
}

export function languageName(tag: string): string {
  return known[tag]?.name ?? tag
}

export function direction(tag: string): 'ltr' | 'rtl' {
  return known[tag.split('-')[0] ?? '']?.dir ?? 'ltr'
}
