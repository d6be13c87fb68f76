/** Whether a value from the wire is a plain object, with no other keys than these if some are given. */
export function isPlain(value: unknown, keys?: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false
  return keys === undefined || Object.keys(value).every((key) => keys.includes(key))
}
