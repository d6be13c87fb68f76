/** Looks for inherited descriptors where there are none to take over. Plain JavaScript: Node 20 starts no other. */
import { tsImport } from 'tsx/esm/api'

await tsImport('./inherited.ts', import.meta.url)
