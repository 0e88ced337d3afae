// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { KINDS, worldOf } from './fixtures/load-text.ts'
import { type LoadOptions, loadConfig } from './load.ts'
import type { ConfigError } from './problem.ts'
import { type ConfigChange, type ConfigWatch, watchConfig } from './watch.ts'

interface Bench {
  readonly watch: ConfigWatch
  readonly changes: ConfigChange[]
  readonly refusals: ConfigError[]
  /** Names of the delays now waiting, in milliseconds. */
  readonly waiting: () => number[]
  /** Lets the waiting of this length end, and everything after it happen. */
  readonly elapse: (delayMs: number) => Promise<void>
  readonly event: () => void
  readonly isWatching: () => boolean
  text: string | undefined
  readonly env: Record<string, string>
}

const DEBOUNCE_MS = 10
const POLL_MS = 99

/** A watch over a file in memory, with a clock that stands still. */
async function bench(text: string | undefined, env: Record<string, string> = {}): Promise<Bench> {
  const changes: ConfigChange[] = []
  const refusals: ConfigError[] = []
  const timers = new Set<{ callback: () => void; delayMs: number }>()
  let onEvent: (() => void) | undefined
  const state = { text }
  const load: LoadOptions = {
    ...worldOf(undefined),
    env,
    readFile: async (path) => {
      if (path === '/home/gatehouse.yaml' && state.text !== undefined) return state.text
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    },
  }
  const watch = watchConfig({
    loaded: await loadConfig(load),
    load,
    onChange: (change) => changes.push(change),
    onRefused: (error) => refusals.push(error),
    debounceMs: DEBOUNCE_MS,
    pollMs: POLL_MS,
    watchFolder: (folder, callback) => {
      expect(folder).toBe('/home')
      onEvent = callback
      return () => {
        onEvent = undefined
      }
    },
    schedule: (callback, delayMs) => {
      const timer = { callback, delayMs }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  })
  return Object.assign(state, {
    env,
    watch,
    changes,
    refusals,
    waiting: () => [...timers].map(({ delayMs }) => delayMs),
    elapse: async (delayMs: number) => {
      for (const timer of [...timers].filter((one) => one.delayMs === delayMs)) {
        timers.delete(timer)
        timer.callback()
      }
      // Reading in memory takes a few turns of the event loop and no time.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    },
    event: () => onEvent?.(),
    isWatching: () => onEvent !== undefined,
  })
}

describe('watchConfig', () => {
  it('watchConfig() takes up a changed file, once for many events', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = 'server: { drainSeconds: 2 }'
    b.event()
    b.event()
    b.event()
    expect(b.waiting()).toEqual([POLL_MS, DEBOUNCE_MS])
    await b.elapse(DEBOUNCE_MS)
    expect(b.changes.map(({ loaded }) => loaded.config.server.drainSeconds)).toEqual([2])
    expect(b.changes[0]?.restartNeeded).toEqual([])
    await b.watch.close()
  })

  it('watchConfig() notices by looking where the file system reports nothing', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = 'server: { drainSeconds: 2 }'
    await b.elapse(POLL_MS)
    expect(b.changes).toHaveLength(1)
    await b.elapse(POLL_MS)
    expect(b.changes).toHaveLength(1)
    expect(b.waiting()).toEqual([POLL_MS])
    await b.watch.close()
  })

  it('watchConfig() notices a file that appears where there was none', async () => {
    const b = await bench(undefined)
    b.text = 'server: { drainSeconds: 2 }'
    b.event()
    await b.elapse(DEBOUNCE_MS)
    expect(b.changes[0]?.loaded.file).toBe('/home/gatehouse.yaml')
    await b.watch.close()
  })

  it('watchConfig() refuses an invalid file once, keeps the last good one, and takes the mended one', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = 'server: { drainSecnds: 2 }'
    b.event()
    await b.elapse(DEBOUNCE_MS)
    await b.elapse(POLL_MS)
    await b.elapse(POLL_MS)
    expect(b.changes).toEqual([])
    expect(b.refusals.map(({ message }) => message.split('\n')[0])).toEqual([
      'gatehouse.yaml:1:11: server.drainSecnds: unknown key. Did you mean `drainSeconds`?',
    ])
    b.text = 'server: { drainSeconds: 2 }'
    await b.elapse(POLL_MS)
    expect(b.changes).toHaveLength(1)
    await b.watch.close()
  })

  it('watchConfig() keeps the last good configuration when the file is gone', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = undefined
    await b.elapse(POLL_MS)
    await b.elapse(POLL_MS)
    expect(b.changes).toEqual([])
    expect(b.refusals.map(({ message }) => message)).toEqual([
      '/home/gatehouse.yaml: is gone; the last good configuration stays in force',
    ])
    await b.watch.close()
  })

  it('watchConfig() calls nothing a change that changes nothing', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = '# a comment\nserver: { drainSeconds: 1 }'
    b.event()
    await b.elapse(DEBOUNCE_MS)
    expect([b.changes, b.refusals]).toEqual([[], []])
    await b.watch.close()
  })

  it('watchConfig() names what takes a restart', async () => {
    const b = await bench('server: { port: 1 }\nstorage: { redis: "redis://a" }')
    b.text = 'server: { port: 2, drainSeconds: 5 }\nstorage: { redis: "redis://b", dataDir: /elsewhere }'
    expect(await b.watch.reload()).toBe('changed')
    expect(b.changes[0]?.restartNeeded).toEqual(['server.port', 'storage.redis', 'storage.dataDir'])
    await b.watch.close()
  })

  it('reload() takes up a secret that was rotated behind an unchanged file', async () => {
    const b = await bench('providers: { a: { kind: openai, apiKey: "${env:KEY}" } }', { KEY: 'old' })
    b.env.KEY = 'new'
    expect(await b.watch.reload()).toBe('changed')
    expect(b.changes[0]?.loaded.config.providers.a?.apiKey?.reveal()).toBe('new')
    expect(await b.watch.reload()).toBe('unchanged')
    delete b.env.KEY
    expect(await b.watch.reload()).toBe('refused')
    await b.watch.close()
  })

  it('reload() never runs twice at once, and never misses what came in between', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.text = 'server: { drainSeconds: 2 }'
    const first = b.watch.reload()
    const others = [b.watch.reload(), b.watch.reload()]
    b.text = 'server: { drainSeconds: 3 }'
    expect(others[0]).toBe(others[1])
    await Promise.all([first, ...others])
    expect(b.changes.at(-1)?.loaded.config.server.drainSeconds).toBe(3)
    await b.watch.close()
  })

  it('close() ends every timer and the watching, and nothing is called afterwards', async () => {
    const b = await bench('server: { drainSeconds: 1 }')
    b.event()
    b.text = 'server: { drainSeconds: 2 }'
    const reloading = b.watch.reload()
    await b.watch.close()
    expect([await reloading, await b.watch.reload()]).toEqual(['unchanged', 'unchanged'])
    expect([b.waiting(), b.isWatching(), b.changes, b.refusals]).toEqual([[], false, [], []])
  })
})

describe('watchConfig on real files', () => {
  const folders: string[] = []
  afterEach(async () => {
    await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })))
  })

  it.each(['written over', 'replaced by renaming'])('watchConfig() sees a file that is %s', async (way) => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-config-'))
    folders.push(folder)
    const file = join(folder, 'gatehouse.yaml')
    await writeFile(file, 'server: { drainSeconds: 1 }')
    const load: LoadOptions = { knownKinds: KINDS, env: {}, cwd: folder }
    const loaded = await loadConfig(load)
    const { promise, resolve } = Promise.withResolvers<ConfigChange>()
    const watch = watchConfig({
      loaded,
      load,
      onChange: resolve,
      onRefused: () => {},
      debounceMs: 20,
      pollMs: 200,
    })
    if (way === 'written over') await writeFile(file, 'server: { drainSeconds: 2 }')
    else {
      await writeFile(join(folder, '.swap'), 'server: { drainSeconds: 2 }')
      await rename(join(folder, '.swap'), file)
    }
    expect((await promise).loaded.config.server.drainSeconds).toBe(2)
    await watch.close()
  })
})
