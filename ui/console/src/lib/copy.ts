/** A deep copy of plain data, so that a form never touches what was read. */
export function copy<V>(v: V): V {
  return JSON.parse(JSON.stringify(v)) as V
}
