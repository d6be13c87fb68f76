/**
 * The libraries whose own tests run over pillion: where the tests are, at which commit, and which of them cannot pass and why.
 *
 * Data alone. A new one takes an entry here and a double in doubles/.
 */

export interface Suite {
  /** Of the library, as `npm run peer-suites -- NAME` takes it. Several suites may be one library's. */
  readonly name: string
  /** The package that is tested, as it is installed here. */
  readonly library: string
  /** On GitHub. */
  readonly repository: string
  readonly commit: string
  /** What that commit is. */
  readonly tests: string
  readonly files: readonly string[]
  /** In doubles/: what stands in for the tests' transport. */
  readonly double: string
  /** What the tests import that they get from elsewhere: from the double (true) or from a package or a file of this folder. */
  readonly imports: Readonly<Record<string, string | true>>
  /** What in a test's text has to change, since it makes its transport itself; each must be there. Nothing is written to disk. */
  readonly edits?: readonly Edit[]
  /** Written for mocha: its globals, its `this`, its `done`. */
  readonly mocha?: boolean
  /** Schemas that are compiled first, by the library's own compiler. */
  readonly schemas?: string
  /** In milliseconds, where some time out that cannot pass. */
  readonly testTimeout?: number
  /** The variants that are run, each with what the double gets as PEER_SUITES_VARIANT. */
  readonly variants: readonly Variant[]
  readonly cannot: readonly Impossible[]
}

export interface Edit {
  readonly file: string
  readonly find: RegExp
  readonly replacement: string
}

export interface Variant {
  readonly name: string
  /** What is installed in the library's place. */
  readonly library?: string
}

/** A test that makes a connection over pillion and fails, as it has to. */
export interface Impossible {
  readonly title: string
  readonly why: string
  /** Of the variants, those where it fails; all of them otherwise. */
  readonly variants?: readonly string[]
}

const onlyVariant: readonly Variant[] = [{ name: '' }]

const birpc = {
  library: 'birpc',
  double: 'birpc',
  imports: {
    '../src': 'birpc',
    '../src/main': 'birpc',
    '../src/group': 'birpc',
    'node:worker_threads': true,
  },
  variants: onlyVariant,
} as const

const capnwebValues = ['jsonCompatible', 'jsonCompatibleWithBytes', 'structuredClonable']
const capnwebTests = '__tests__/index.test.ts'
const capnwebLimits = '__tests__/limits.test.ts'
const importDouble = (names: string) => `import { ${names} } from 'peer-suites:double'\n`

export const suites: readonly Suite[] = [
  {
    ...birpc,
    name: 'birpc',
    repository: 'antfu/birpc',
    commit: '559f621162137194b9c0d4456b90a7f15ea7a135',
    tests: '2.6.1',
    files: ['test/*.test.ts'],
    cannot: [{ title: 'basic', why: 'expects an event to return nothing: birpc 4 returns a promise over any channel' }],
  },
  {
    ...birpc,
    name: 'birpc-4',
    repository: 'antfu-collective/birpc',
    commit: '06b56f0f77be7f7ef6252c7706f3c9102efb8ac5',
    tests: '4.1.0',
    files: ['test/{close,dynamic,error,group,index,reject-pending-calls,resolver,timeout}.test.ts'],
    cannot: [],
  },
  {
    name: 'capnp-es',
    library: 'capnp-es',
    repository: 'unjs/capnp-es',
    commit: '4ae67dce5ed5f4a5c78b2dcc52d5ca4f6b75140c',
    tests: '0.0.16',
    files: ['test/integration/rpc.spec.ts'],
    double: 'capnp-es',
    imports: { './rpc.utils': true },
    variants: onlyVariant,
    cannot: [],
  },
  {
    name: 'capnp-ts',
    library: 'capnp-ts',
    repository: 'jdiaz5513/capnp-ts',
    commit: '9c12e4d1ce1b40612ace6c231aade30fdc27c26b',
    tests: '0.9.3',
    files: ['packages/capnp-ts-test/test/integration/rpc/*.spec.ts'],
    schemas: 'packages/capnp-ts-test/test/integration/rpc',
    double: 'capnp-ts',
    imports: { 'capnp-ts': true, './test-transport.js': true, ws: true, tap: './tap.ts' },
    variants: onlyVariant,
    cannot: [
      {
        title: 'RPC Level 1: transport close triggers onError',
        why: "expects the library's words for the peer's end",
      },
    ],
  },
  {
    name: 'capnweb',
    library: 'capnweb',
    repository: 'cloudflare/capnweb',
    commit: '7702075d4122e6808512ee50acc591310b77da7a',
    tests: '0.12.0, beside its sources of that version',
    files: [capnwebTests, capnwebLimits],
    double: 'capnweb',
    imports: {},
    edits: [
      {
        file: capnwebTests,
        find: /class TestTransport implements RpcTransport \{[\s\S]*?(?=\/\/ Spin the microtask)/,
        replacement: importDouble('ObjectTestTransport, pillionChannel, portSession, TestTransport, turns'),
      },
      // They wait for a number of microtasks, or for the next turn: a socket takes the loop's polls.
      {
        file: capnwebTests,
        find: /for \(let i = 0; i < 16; i\+\+\) \{\s*await Promise\.resolve\(\);\s*\}/,
        replacement: 'await turns();',
      },
      { file: capnwebTests, find: /setTimeout\(resolve, 0\)/g, replacement: 'setTimeout(resolve, 20)' },
      { file: capnwebTests, find: /(?=\/\/ Targets should be disposed\n)/, replacement: 'await turns();\n' },
      { file: capnwebTests, find: /await Promise\.resolve\(\);(?=\s*let blobExpr)/, replacement: 'await turns();' },
      {
        file: capnwebTests,
        find: /newMessagePortRpcSession(<\w+>)?\(channel/g,
        replacement: 'portSession(RpcSession, channel',
      },
      { file: capnwebTests, find: /new MessageChannel\(\)/g, replacement: 'pillionChannel()' },
      {
        file: capnwebLimits,
        find: /class ScriptedTransport implements RpcTransport \{[\s\S]*?\n\}\n/,
        replacement: importDouble('PairTransport, ScriptedTransport, turns'),
      },
      { file: capnwebLimits, find: /class PairTransport implements RpcTransport \{[\s\S]*?\n\}\n/, replacement: '' },
      {
        file: capnwebLimits,
        find: /private serverTransport = new PairTransport\(\)/,
        replacement: 'private serverTransport = new PairTransport(this.clientTransport)',
      },
      { file: capnwebLimits, find: /this\.(client|server)Transport\.partner = .*/g, replacement: '' },
      {
        file: capnwebLimits,
        find: /for \(let i = 0; i < 16; i\+\+\) await Promise\.resolve\(\);/,
        replacement: 'await turns();',
      },
    ],
    variants: [{ name: 'text' }, ...capnwebValues.map((name) => ({ name }))],
    cannot: [
      {
        title: 'MessagePorts > sends close signal when server stub is disposed',
        why: "expects a MessagePort's words for its end",
      },
      {
        title: 'basic rpc > does not expose common Object properties on RpcTarget',
        why: 'writes a key `__proto__`, which no value may have',
        variants: capnwebValues,
      },
      {
        title: 'WritableStream over RPC > uses stream messages instead of push+pull+release',
        why: 'looks at text on its way',
        variants: capnwebValues,
      },
      {
        title: 'Blob over RPC > is encoded as a readable pipe on the wire',
        why: 'looks at text on its way',
        variants: capnwebValues,
      },
    ],
  },
  {
    name: 'comlink',
    library: 'comlink',
    repository: 'GoogleChromeLabs/comlink',
    commit: 'fd4b52666b1ec62784f8b45cb1108c7e40bc481d',
    tests: '4.4.2',
    files: ['tests/*.comlink.test.js', 'tests/node/main.mjs'],
    double: 'comlink',
    imports: {
      '/base/dist/esm/comlink.mjs': true,
      '../../dist/esm/comlink.mjs': true,
      '../../dist/esm/node-adapter.mjs': true,
      worker_threads: true,
      chai: './mocha.ts',
    },
    edits: [
      {
        file: 'tests/same_window.comlink.test.js',
        find: /new MessageChannel\(\);(?=\s*port1\.start\(\))/,
        replacement: 'Comlink.pillionChannel();',
      },
      // They wait a beat: for a port of the same thread. A socket takes the loop's polls.
      {
        file: 'tests/same_window.comlink.test.js',
        find: /setTimeout\(resolve, 1\)/g,
        replacement: 'setTimeout(resolve, 20)',
      },
    ],
    mocha: true,
    variants: onlyVariant,
    cannot: [
      {
        title: 'Comlink in the same realm > will transfer a message port',
        why: 'passes a MessagePort, which is no part of a stream',
      },
    ],
  },
  {
    name: 'vscode-jsonrpc',
    library: 'vscode-jsonrpc',
    repository: 'microsoft/vscode-languageserver-node',
    commit: '0da5527ddf79ec7b10c953a1b1e6e007c9678326',
    tests: '9.0.1',
    files: ['jsonrpc/src/node/test/connection.test.ts'],
    double: 'vscode-jsonrpc',
    imports: { '../main': true, '../../common/messages': true },
    mocha: true,
    testTimeout: 3000,
    variants: [
      { name: 'JSON' },
      { name: 'MessagePack' },
      { name: 'JSON', library: 'vscode-jsonrpc-9' },
      { name: 'MessagePack', library: 'vscode-jsonrpc-9' },
    ],
    cannot: [
      'Test Duplex Stream Connection',
      'Primitive param as positional',
      'Array param as positional',
      'Literal param as named',
      'Literal param as positional',
    ].map((title) => ({ title: `Connection > ${title}`, why: 'looks at the bytes in streams that it made' })),
  },
]
