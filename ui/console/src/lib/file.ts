/** Bytes that came as base64, as people compare them. */
export const hex = (base64: string): string => Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('')

/** Hands a document to the browser's downloads. */
export function save(doc: unknown, name: string): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(doc, null, 2)], { type: 'application/json' }))
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(url), 1000)
}
