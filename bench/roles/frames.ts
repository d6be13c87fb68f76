/**
 * The process of a contender that carries frames: a server or a client, in one pattern.
 */
import { floodClient, tallyFrames } from './flood.js'
import type { Carrier, Link, OnFrame } from './link.js'
import { fanClient, idleClient, memory } from './many.js'
import { type Commands, obey } from './obey.js'
import { answerPings, pingClient } from './ping.js'
import { type FramePattern, type Setting, settingOf } from './setting.js'

const clients: Record<FramePattern, (carrier: Carrier, setting: Setting) => Promise<Commands>> = {
  ping: pingClient,
  flood: floodClient,
  fan: fanClient,
  idle: idleClient,
}

export async function carryFrames(carrier: Carrier): Promise<void> {
  const setting = settingOf(process.argv)
  if (setting.role === 'client') {
    obey(await clients[setting.pattern as FramePattern](carrier, setting))
    return
  }
  await carrier.listen(setting, (link) => serve(setting, link))
  if (process.send === undefined) obey({ memory })
}

function serve(setting: Setting, link: Link): OnFrame {
  return setting.pattern === 'flood' ? tallyFrames(setting, link) : answerPings(setting, link)
}
