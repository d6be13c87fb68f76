/** Accepts without being kept alive by it: this ends by itself although nothing is closed. */
import { Listener } from '../../../src/transport/listener.js'

const listener = await Listener.listen(process.argv[2] as string)
listener.accept({ onConnection: () => undefined, onError: () => undefined })
listener.unref()
process.stdout.write('"unreferenced"\n')
process.on('exit', () => listener.close())
