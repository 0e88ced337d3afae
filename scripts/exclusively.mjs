import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than an installation on a slow line. */
const WAIT_MS_MAX = 15 * 60 * 1000

/** Between making the lock and writing its owner into it lies less than this. */
const UNOWNED_MS_MAX = 5000

/**
 * Runs a task while no other process of this checkout does, so that two starts at once do not install or build into
 * each other. A lock whose owner died is taken over.
 *
 * @template Result
 * @param {string} root the checkout
 * @param {() => Promise<Result>} task
 * @returns {Promise<Result>}
 */
export async function exclusively(root, task) {
  // Outside of the checkout: `npm ci` empties node_modules.
  const place = createHash('sha256')
    .update(`${userInfo().uid}:${realpathSync(root)}`)
    .digest('hex')
    .slice(0, 16)
  const lock = join(tmpdir(), `gatehouse-${place}.lock`)
  await take(lock)
  const giveBack = () => rmSync(lock, { recursive: true, force: true })
  process.once('exit', giveBack)
  try {
    return await task()
  } finally {
    process.off('exit', giveBack)
    giveBack()
  }
}

async function take(lock) {
  const startedMs = Date.now()
  let told = false
  for (;;) {
    try {
      mkdirSync(lock)
      writeFileSync(join(lock, 'pid'), String(process.pid))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isAbandoned(lock)) {
      removeAbandoned(lock)
      continue
    }
    if (Date.now() - startedMs > WAIT_MS_MAX) throw new Error(`Another start still holds ${lock}.`)
    if (!told) console.log('Waiting for another start that installs or builds here …')
    told = true
    await sleep(200)
  }
}

function isAbandoned(lock) {
  try {
    const owner = Number(readFileSync(join(lock, 'pid'), 'utf8'))
    if (owner > 0) return !isAlive(owner)
  } catch {
    // No owner yet: below.
  }
  try {
    return Date.now() - statSync(lock).mtimeMs > UNOWNED_MS_MAX
  } catch {
    return false
  }
}

/** Of several that find a lock abandoned, the rename lets one win; a lock that became another's is put back. */
function removeAbandoned(lock) {
  const aside = `${lock}.${process.pid}`
  try {
    renameSync(lock, aside)
    if (isAbandoned(aside)) rmSync(aside, { recursive: true, force: true })
    else renameSync(aside, lock)
  } catch {
    // Someone else was faster.
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
