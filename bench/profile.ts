/**
 * npm run bench:profile: where the time of a workload's contenders goes. It takes the bench's options; needs perf, and to
 * be allowed its tracepoints (as root, or kernel.perf_event_paranoid of -1).
 */
import { writeFileSync } from 'node:fs'
import type { Spinners } from './harness/cpus.js'
import { spinnersFor } from './harness/measure.js'
import type { Workload } from './harness/workloads.js'
import { benchOptions, HelpAsked, usage } from './options.js'
import { type Profile, profileWorkload } from './profile/profile-workload.js'
import { goals } from './report/goals.js'
import { profileTable } from './report/profile-table.js'

const options = readOptions()
const profiles: Profile[] = []
for (const workload of options.workloads.filter(({ way }) => way === undefined)) {
  const names = contendersOf(workload)
  if (names.length === 0) continue
  const spinners: Spinners | undefined = await spinnersFor(workload)
  const found = await profileWorkload(workload, names, { ...options, progress: console.error })
  spinners?.stop()
  profiles.push(...found)
  console.log(`\n${workload.id}: ${workload.title}\n\n${found.length === 0 ? 'none' : profileTable(found)}`)
}
if (options.json !== undefined)
  writeFileSync(options.json, `[\n${profiles.map((profile) => `  ${JSON.stringify(profile)}`).join(',\n')}\n]\n`)

/** Those that its goals name, unless told. */
function contendersOf({ id, contenders }: Workload): readonly string[] {
  const named = goals.filter(({ workload }) => workload === id).flatMap(({ contender, of }) => [contender, ...of])
  return contenders.filter((name) => options.contenders?.includes(name) ?? named.includes(name))
}

function readOptions(): ReturnType<typeof benchOptions> {
  try {
    return benchOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(error instanceof HelpAsked ? 0 : 2)
  }
}
