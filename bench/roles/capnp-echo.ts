/**
 * The echo of Cap'n Proto's libraries, on any of their connections: by the interface that the tests of the adapters call. It
 * is loaded as it lies, since one of the two is CommonJS.
 */
import type { Conn as EsConn } from 'capnp-es'
import type { Transport, Conn as TsConn } from 'capnp-ts'
import type { Caller } from './calls.js'

type EsPeer = typeof import('../../test/adapters/fixtures/generated/capnp-es/peer.js')
type TsPeer = typeof import('../../test/adapters/fixtures/generated/capnp-ts/peer.js')

export type WebSocketLike = Exclude<ConstructorParameters<typeof TsConn>[0], Transport>

const root = import.meta.url.slice(0, import.meta.url.lastIndexOf('/bench/'))

export async function capnpEs() {
  const { Peer }: EsPeer = await import(`${root}/test/adapters/fixtures/generated/capnp-es/peer.js`)
  return {
    serve(conn: EsConn): void {
      conn.initMain(Peer, {
        async call(params, results) {
          results.value = params.value
        },
        async file() {},
      })
    },
    call(conn: EsConn): Caller {
      const main = conn.bootstrap(Peer)
      return {
        async echo(text) {
          const results = await main
            .call((params) => {
              params.value = text
            })
            .promise()
          return results.value
        },
      }
    },
  }
}

export async function capnpTs() {
  const { Peer }: TsPeer = await import(`${root}/test/adapters/fixtures/generated/capnp-ts/peer.js`)
  const { Conn } = await import('capnp-ts')
  return {
    Conn,
    main: () =>
      new Peer.Server({
        async call(params, results) {
          results.setValue(params.getValue())
        },
        async file() {},
      }),
    call(conn: TsConn): Caller {
      const main = conn.bootstrap(Peer)
      return {
        async echo(text) {
          const results = await main.call((params) => params.setValue(text))
          return results.getValue()
        },
      }
    },
  }
}
