/**
 * Of whatever was thrown, what can travel in any case: where the error itself cannot, or is not to.
 */
export interface ErrorParts {
  readonly name: string
  readonly message: string
  readonly code?: string | number
}

export function errorParts(thrown: unknown): ErrorParts {
  const { name = 'Error', message = thrown, code } = (thrown instanceof Error ? thrown : {}) as Partial<ErrorParts>
  const parts = { name: String(name), message: String(message).slice(0, 1000) }
  return typeof code === 'string' || typeof code === 'number' ? { ...parts, code } : parts
}
