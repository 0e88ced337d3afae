import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'

/** What a reader needs to judge the figures; nothing that names the machine or its owner. */
export interface MachineFacts {
  readonly processor: string
  readonly cores: number
  readonly memoryGigabytes: number
  readonly system: string
  readonly node: string
  readonly undici: string
  readonly commit: string
}

export function readMachine(root: string): MachineFacts {
  const processors = cpus()
  const undici = JSON.parse(readFileSync(join(root, 'node_modules/undici/package.json'), 'utf8')) as {
    version: string
  }
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    undici: undici.version,
    commit: commitOf(root),
  }
}

/** A checkout without git (a tarball) has no commit to name. */
function commitOf(root: string): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain', '--', 'src') === '' ? '' : ', with changes in src'
    return git('rev-parse', '--short', 'HEAD') + changed
  } catch {
    return 'unknown'
  }
}
