/** What tests that run in browsers as well look for. Node 20 has none of it. */
Object.assign(globalThis, { self: globalThis })
if (!('navigator' in globalThis)) Object.assign(globalThis, { navigator: { userAgent: 'node' } })
