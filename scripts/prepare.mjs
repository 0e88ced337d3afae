import { join } from 'node:path'
import { exclusively } from './exclusively.mjs'
import { install, isInstalled, runtime } from './packages.mjs'
import { run } from './run.mjs'
import { isBuilt } from './sources.mjs'

/**
 * Installs packages where they are missing or not those of package-lock.json.
 *
 * @param {string} root
 */
export async function prepareInstallation(root) {
  if (isInstalled(root)) return
  await exclusively(root, async () => {
    // Whoever held the lock may have done it.
    if (!isInstalled(root)) await install(root)
  })
}

/**
 * Builds the server where dist is missing or older than the sources.
 *
 * @param {string} root
 * @throws {Error} with one sentence for people
 */
export async function prepareBuild(root) {
  if (isBuilt(root)) return
  await exclusively(root, async () => {
    if (isBuilt(root)) return
    console.log('Building …')
    const { code } = await run(root, runtime(root), [join(root, 'scripts/build.mjs')])
    if (code !== 0) throw new Error('The server could not be built: the reason stands above.')
  })
}
