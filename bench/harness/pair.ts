/**
 * Pair: the two ends of one contender in one case, pinned, ready to be told what to do.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metrics, Setting } from '../roles/setting.js'
import { Child } from './child.js'
import { type Contender, contenders } from './contenders.js'
import { type Cores, coresOf, pinned } from './cpus.js'
import { makeFolder, removeFolder } from './folders.js'
import { provide } from './programs.js'
import type { Case, Workload } from './workloads.js'

export class Pair {
  readonly #folder: string
  readonly #server: Child | undefined
  readonly #client: Child

  /** Rejects with an Error that says why they cannot be had. */
  static async start(workload: Workload, one: Case, name: string): Promise<Pair> {
    const contender = contenders[name]
    if (contender === undefined) throw new Error(`no contender ${name}`)
    await provide(contender.needs)
    const folder = makeFolder()
    const cores = coresOf(workload.view)
    const setting = {
      contender: name,
      pattern: one.pattern,
      path: join(folder, 's'),
      payload: one.payload ?? 64,
      descriptors: one.descriptors ?? 0,
      connections: one.connections ?? 1,
      serverCpu: cores.server,
    }
    try {
      const server = contender.layout === 'pair' ? await startServer(contender, setting, cores) : undefined
      return await Pair.#withClient(folder, server, contender, setting, cores)
    } catch (error) {
      removeFolder(folder)
      throw error
    }
  }

  static async #withClient(
    folder: string,
    server: Child | undefined,
    contender: Contender,
    setting: Omit<Setting, 'role'>,
    { server: serverCore, client: clientCore }: Cores,
  ): Promise<Pair> {
    const cores = contender.layout === 'alone' ? [serverCore, clientCore] : [clientCore]
    const client = new Child(pinned(cores, contender.command({ ...setting, role: 'client' })))
    try {
      await client.ready()
      return new Pair(folder, server, client)
    } catch (error) {
      await client.end()
      await server?.end()
      throw error
    }
  }

  private constructor(folder: string, server: Child | undefined, client: Child) {
    this.#folder = folder
    this.#server = server
    this.#client = client
  }

  tellClient(order: string, argument: number): Promise<Metrics> {
    return this.#client.tell(order, argument)
  }

  tellServer(order: string, argument: number): Promise<Metrics> {
    if (this.#server === undefined) throw new Error('it has no server process')
    return this.#server.tell(order, argument)
  }

  /** The processes at work, by what they are. */
  get processes(): ReadonlyMap<'server' | 'client' | 'both', number> {
    const client = this.#client.pid
    const server = this.#server?.pid ?? childrenOf(client)[0]
    if (server === undefined) return new Map([['both', client]])
    return new Map([
      ['server', server],
      ['client', client],
    ])
  }

  async end(): Promise<void> {
    await this.#client.end()
    await this.#server?.end()
    removeFolder(this.#folder)
  }
}

/** Of all its threads; a client that forks its server has one. */
function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`
  const lists = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/children`, 'utf8'))
  return lists.flatMap((list) => list.trim().split(' ').filter(Boolean).map(Number))
}

async function startServer(contender: Contender, setting: Omit<Setting, 'role'>, { server }: Cores): Promise<Child> {
  const child = new Child(pinned([server], contender.command({ ...setting, role: 'server' })))
  try {
    await child.ready()
    return child
  } catch (error) {
    await child.end()
    throw error
  }
}
