/**
 * Runs once, before all tests: for `python3`, lets them find the interpreter itself.
 *
 * Where a version manager puts a shell script in its place (pyenv does), each start took several times as long as what a
 * test has Python do.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { isMet } from './needs.js'

export default function setup(): (() => void) | undefined {
  if (!isMet({ command: 'python3' })) return undefined
  const asked = ['-c', 'import sys; print(sys.executable)']
  const interpreter = execFileSync('python3', asked, { encoding: 'utf8' }).trim()
  const folder = mkdtempSync(join(tmpdir(), 'pillion-python-'))
  // Of one name alone: the interpreter's own folder may have other programs, another node among them.
  symlinkSync(interpreter, join(folder, 'python3'))
  process.env.PATH = `${folder}${delimiter}${process.env.PATH}`
  return () => rmSync(folder, { recursive: true })
}
