/**
 * systemd: its systemd-socket-activate starts a service of ours as the service manager would; the manager's notification
 * socket is played by Python, which says what it sees; and where it can be started, systemd itself is the manager.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { connect, type FrameStream } from '../../src/stream/index.js'
import { destroyedAfterTest, take, text, until } from '../support/streams.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import { needsPeer, python, sourceOf, versionOf } from './support/peers.js'
import { type Program, startProgram, temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'

beforeEach((context) => needsPeer(context, 'systemd-socket-activate', 'python3'))

const service = [process.execPath, '--import', 'tsx', sourceOf('activated.ts')]

interface Activation {
  readonly program: Program
  readonly paths: readonly string[]
  /** What the service prints next, past what systemd-socket-activate itself has to say. */
  answer(): Promise<unknown>
}

async function activate(sockets: number, options: readonly string[], command: readonly string[]): Promise<Activation> {
  const folder = temporaryFolder()
  const paths = Array.from({ length: sockets }, (_, i) => join(folder, String(i)))
  const listening = paths.flatMap((path) => ['-l', path])
  const environment = ['-E', 'TSX_DISABLE_CACHE=1', '-E', 'NODE_NO_WARNINGS=1']
  const words = ['systemd-socket-activate', ...environment, ...listening, ...options, ...command]
  const program = startProgram('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', ...words])
  for (const _ of paths) await program.lineLike(/^Listening on /)
  return {
    program,
    paths,
    answer: async () => JSON.parse(await program.lineLike(/^\{/)),
  }
}

const rounds = 1_000

/** Sends frames and checks what comes back, as many descriptors each as there are from 0 to 40. */
async function exchange(stream: FrameStream, name: string, scenario: Scenario): Promise<void> {
  const frames = stream[Symbol.asyncIterator]()
  for (let sent = 0; sent < rounds; sent += 100) {
    for (let i = sent; i < sent + 100; i++) {
      const tokens = makeTokens(numbersOf(i))
      stream.send(Buffer.from(`${i}`), tokens, { transfer: true })
    }
    for (const [i, frame] of (await take(frames, 100)).entries()) {
      expect(text(frame.payload)).toBe(`${name} ${sent + i}`)
      scenario.message(frame.descriptors.map(tokenOf), numbersOf(sent + i), frame.lost)
      closeAll(frame.descriptors)
    }
  }
}

function numbersOf(round: number): number[] {
  return Array.from({ length: round % 41 }, (_, i) => 64 * round + i)
}

const descriptorsPerExchange = Array.from({ length: rounds }, (_, i) => i % 41).reduce((sum, count) => sum + count, 0)

it('serves the sockets that it was activated with, by their names', async () => {
  const version = versionOf('systemd-socket-activate')
  const scenario = new Scenario({ peer: 'systemd-socket-activate', version, direction: 'both' })
  const activation = await activate(2, ['--fdname=control:data'], service)
  const [control, data] = await Promise.all(activation.paths.map((path) => connect(path)))
  for (const stream of [control!, data!]) destroyedAfterTest(stream)
  expect(await activation.answer()).toEqual({
    inherited: [
      ['control', 3],
      ['data', 4],
    ],
    left: [],
  })

  await exchange(data!, 'data', scenario)
  await exchange(control!, 'control', scenario)
  await data!.end()
  await data!.closed
  control!.send(Buffer.from('stop'))
  await control!.end()
  await control!.closed
  const { more } = (await activation.answer()) as { more: number }
  scenario.leakedByPeer += more
  expect(await activation.program.exited).toBe(0)
  expect(await scenario.finish()).toMatchObject({ frames: 2_000, descriptors: 2 * descriptorsPerExchange, ...flawless })
})

it('adopts the connection that it was started for', async () => {
  const activation = await activate(1, ['--accept', '--fdname=connection'], [...service, 'accepted'])
  const stream = destroyedAfterTest(await connect(activation.paths[0]!))
  expect(await activation.answer()).toEqual({ inherited: [['connection', 3]], left: [] })
  stream.send(Buffer.from('hello'))
  const [frame] = await take(stream, 1)
  expect(text(frame!.payload)).toBe('connection hello')
})

it('takes nothing over that was passed to a wrapper', async () => {
  const wrapped = ['/bin/sh', '-c', '"$@"; exit $?', 'sh', ...service]
  const activation = await activate(1, [], wrapped)
  destroyedAfterTest(await connect(activation.paths[0]!))
  expect(await activation.answer()).toEqual({ inherited: [], left: [] })
  expect(await activation.program.exited).toBe(0)
})

/** What a manager played by Python is told: [assignments, numbers of the descriptors, by the service itself, flags]. */
type Told = readonly [Readonly<Record<string, string>>, readonly number[] | null, boolean, number]

function startManager(runs: number, command: readonly string[]): { told(): Promise<Told>; answer(): Promise<unknown> } {
  const args = [sourceOf('manager.py'), join(temporaryFolder(), 'notify'), String(runs), ...command]
  const program = startProgram(python, args, { env: { TSX_DISABLE_CACHE: '1' } })
  return {
    told: async () => JSON.parse(await program.lineLike(/^\[/)),
    answer: async () => JSON.parse(await program.lineLike(/^\{/)),
  }
}

const range = (count: number, first: number) => Array.from({ length: count }, (_, i) => first + i)

it('tells the manager when it is ready, and gets back what it had it store', async () => {
  const version = `mock, ${versionOf('python3')}`
  const [out, back] = (['out', 'in'] as const).map(
    (direction) => new Scenario({ peer: 'notification socket and store', version, direction }),
  ) as [Scenario, Scenario]
  const manager = startManager(2, [process.execPath, '--import', 'tsx', sourceOf('stored.ts')])
  for (let number = 1; number <= 40; number++) {
    const [said, numbers, own, flags] = await manager.told()
    expect([said, own, flags & 8]).toEqual([{ FDSTORE: '1', FDNAME: `session-${number}` }, true, 0]) // no MSG_CTRUNC
    out.message(numbers!, [number])
  }
  const [said, numbers] = await manager.told()
  expect(said).toEqual({ FDSTORE: '1', FDNAME: 'many' })
  out.message(numbers!, range(253, 1_000))
  expect((await manager.told()).slice(0, 3)).toEqual([{ READY: '1', STATUS: 'holds 293' }, [], true])
  expect(await manager.answer()).toEqual({ exit: 0 })

  const { restored } = (await manager.answer()) as { restored: readonly (readonly [name: string, number: number])[] }
  const sessions = range(40, 1).map((number) => [`session-${number}`, number])
  expect(restored).toEqual([...sessions, ...range(253, 1_000).map((number) => ['many', number])])
  back.message(
    restored.map(([, number]) => number),
    [...range(40, 1), ...range(253, 1_000)],
  )
  expect((await manager.told())[0]).toEqual({ FDSTOREREMOVE: '1', FDNAME: 'many' })
  expect((await manager.told())[0]).toEqual({ READY: '1', STATUS: 'got 293 back' })
  expect(await manager.answer()).toEqual({ exit: 0 })
  expect(await manager.answer()).toEqual({ store: sessions })
  expect(await out.finish()).toMatchObject({ frames: 41, descriptors: 293, ...flawless })
  expect(await back.finish()).toMatchObject({ frames: 1, descriptors: 293, ...flawless })
})

it('says it as systemd’s own systemd-notify does', async () => {
  const manager = startManager(1, ['systemd-notify', '--ready', '--status=as it does'])
  const [said, numbers] = await manager.told()
  expect([said, numbers]).toEqual([{ READY: '1', STATUS: 'as it does' }, []])
  expect((await manager.told())[0]).toEqual({ BARRIER: '1' }) // it waits until the manager has come so far
  expect(await manager.answer()).toEqual({ exit: 0 })
})

/** A systemd as process 1 of namespaces of its own, which takes root and cgroup2: the tests above need neither. */
const runsSystemd = spawnSync('sh', [sourceOf('systemd.sh')]).status === 0

/** What a systemd that is process 1 raises: this one must not, for the machine is not its own. */
const machine = (): string[] =>
  ['net/unix/max_dgram_qlen', 'fs/file-max', 'fs/nr_open', 'kernel/hostname', 'kernel/core_pattern'].map((name) =>
    readFileSync(join('/proc/sys', name), 'utf8'),
  )

type Restored = readonly (readonly [name: string, number: number])[]

/** Runs stored.ts again and again, each time with what systemd has kept for it; gives what each run got back. */
function startSystemd(...args: readonly string[]): () => Restored[] {
  const folder = temporaryFolder()
  const [output, unit] = [join(folder, 'output'), join(folder, 'stored.service')]
  const command = [process.execPath, '--import', 'tsx', sourceOf('stored.ts'), ...args]
  const lines = [
    '[Unit]',
    'DefaultDependencies=no',
    'StartLimitIntervalSec=0',
    '[Service]',
    'Type=notify',
    'Restart=always',
    'RestartSec=0',
    'FileDescriptorStoreMax=400',
    `WorkingDirectory=${resolve(import.meta.dirname, '../..')}`,
    'Environment=TSX_DISABLE_CACHE=1',
    `ExecStart=${command.join(' ')}`,
    `StandardOutput=append:${output}`,
  ]
  writeFileSync(unit, lines.join('\n'))
  startProgram('sh', [sourceOf('systemd.sh'), unit])
  return () => {
    const printed = existsSync(output) ? readFileSync(output, 'utf8').split('\n').slice(0, -1) : []
    return printed.map((line) => (JSON.parse(line) as { restored: Restored }).restored)
  }
}

it.each(runsSystemd ? ['notify', 'stream'] : [])(
  'has systemd itself keep descriptors, and gets them back by their names: told by %s',

  async (how) => {
    const version = versionOf('systemd-socket-activate')
    const before = machine()
    const runs = startSystemd(how)
    const scenario = new Scenario({ peer: `systemd, its store, by ${how}`, version, direction: 'both' })
    // systemd and three programs start, one after the other.
    await until(() => runs().length >= 2, 'the second return of what was stored', 50)
    const sessions = range(40, 1).map((number): [string, number[]] => [`session-${number}`, [number]])
    for (const [run, expected] of [new Map([...sessions, ['many', range(253, 1_000)]]), new Map(sessions)].entries()) {
      const came = new Map<string, number[]>()
      for (const [name, number] of runs()[run]!) came.set(name, [...(came.get(name) ?? []), number])
      expect(new Set(came.keys())).toEqual(new Set(expected.keys()))
      // systemd gives no order, only names.
      for (const [name, numbers] of expected)
        scenario.message(
          came.get(name)!.sort((a, b) => a - b),
          numbers,
        )
    }
    expect(machine()).toEqual(before)
    expect(await scenario.finish()).toMatchObject({ frames: 81, descriptors: 333, ...flawless })
  },
)
