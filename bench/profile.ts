/**
 * npm run bench:profile: where the time of a workload's contenders goes. It takes the bench's options; needs perf, and to
 * be allowed its tracepoints (as root, or kernel.perf_event_paranoid of -1).
 */
import { spinnersFor } from './harness/measure.js'
import type { Workload } from './harness/workloads.js'
import { optionsOfCommandLine } from './options.js'
import { type Profile, profileWorkload } from './profile/profile-workload.js'
import { goals } from './report/goals.js'
import { profileTable } from './report/profile-table.js'
import { writeRows } from './report/write-rows.js'

const options = optionsOfCommandLine()
const profiles: Profile[] = []
for (const workload of options.workloads.filter(({ way }) => way === undefined)) {
  const names = contendersOf(workload)
  if (names.length === 0) continue
  const found = await profilesIn(workload, names)
  profiles.push(...found)
  console.log(`\n${workload.id}: ${workload.title}\n\n${found.length === 0 ? 'none' : profileTable(found)}`)
}
if (options.json !== undefined) writeRows(options.json, profiles)

async function profilesIn(workload: Workload, names: readonly string[]): Promise<Profile[]> {
  const spinners = await spinnersFor(workload)
  try {
    const found = await profileWorkload(workload, names, { ...options, progress: console.error })
    spinners?.check()
    return found
  } finally {
    spinners?.stop()
  }
}

/** Those that its goals name, unless told. */
function contendersOf({ id, contenders }: Workload): readonly string[] {
  const named = goals.filter(({ workload }) => workload === id).flatMap(({ contender, of }) => [contender, ...of])
  return contenders.filter((name) => options.contenders?.includes(name) ?? named.includes(name))
}
