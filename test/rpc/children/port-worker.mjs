/** A worker thread that serves its port: adds, calls back, and throws. Plain JavaScript with the built package. */
import { parentPort, workerData } from 'node:worker_threads'
import { MessagePortTransport, RpcSession, RpcTarget } from 'pillion/rpc'

class Main extends RpcTarget {
  add(a, b) {
    return a + b
  }
  async ask(question) {
    return `${await question('here')}, heard`
  }
  async *count(to) {
    for (let i = 1; i <= to; i++) yield i
  }
  exit() {
    process.exit(3)
  }
}

new RpcSession(new MessagePortTransport(workerData.port), new Main())
parentPort.postMessage('serving')
