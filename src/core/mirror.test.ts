import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openMirror } from './mirror.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Loads end when they are told to. */
class Source {
  readonly log: string[] = []
  readonly onError = vi.fn()
  private onReload: () => void = () => {}
  private readonly loads: PromiseWithResolvers<void>[] = []

  open() {
    return openMirror({
      load: () => {
        this.log.push('load')
        const load = Promise.withResolvers<void>()
        this.loads.push(load)
        return load.promise
      },
      watch: async (onReload) => {
        this.log.push('watch')
        this.onReload = onReload
        return async () => {
          this.log.push('stop')
        }
      },
      onError: this.onError,
    })
  }

  change(): void {
    this.onReload()
  }

  /** Ends the load that is under way. */
  async end(failure?: Error): Promise<void> {
    const load = this.loads.shift()
    if (failure === undefined) load?.resolve()
    else load?.reject(failure)
    await vi.advanceTimersByTimeAsync(0)
  }

  get loadCount(): number {
    return this.log.filter((line) => line === 'load').length
  }

  async opened() {
    const opening = this.open()
    await vi.advanceTimersByTimeAsync(0)
    await this.end()
    return opening
  }
}

const AWAY = new Error('away')

describe('openMirror()', () => {
  it('watches before it loads, so that no change falls between the two', async () => {
    const source = new Source()
    const opening = source.open()
    let isOpen = false
    void opening.then(() => {
      isOpen = true
    })
    await vi.advanceTimersByTimeAsync(0)
    expect([source.log, isOpen]).toEqual([['watch', 'load'], false])
    await source.end()
    expect(isOpen).toBe(true)
  })

  it('throws what the first load throws, and follows nothing then', async () => {
    const source = new Source()
    const opening = source.open().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(0)
    source.change()
    await source.end(AWAY)
    expect(await opening).toBe(AWAY)
    expect(source.log).toEqual(['watch', 'load', 'stop'])
    await vi.advanceTimersByTimeAsync(10_000)
    expect([source.loadCount, source.onError.mock.calls]).toEqual([1, []])
  })

  it('is not open before what changed during the first load is there', async () => {
    const source = new Source()
    let isOpen = false
    void source.open().then(() => {
      isOpen = true
    })
    await vi.advanceTimersByTimeAsync(0)
    source.change()
    source.change()
    expect(source.loadCount).toBe(1)
    await source.end()
    expect([source.loadCount, isOpen]).toEqual([2, false])
    await source.end()
    expect([source.loadCount, isOpen]).toEqual([2, true])
  })

  it('loads once at a time, and once more for whatever changed meanwhile', async () => {
    const source = new Source()
    await source.opened()
    source.change()
    source.change()
    source.change()
    await vi.advanceTimersByTimeAsync(0)
    expect(source.loadCount).toBe(2)
    await source.end()
    expect(source.loadCount).toBe(3)
    await source.end()
    expect(source.loadCount).toBe(3)
    source.change()
    expect(source.loadCount).toBe(4)
  })

  it('tries again a second after a load that failed, until one does not', async () => {
    const source = new Source()
    await source.opened()
    source.change()
    await source.end(AWAY)
    expect(source.onError.mock.calls).toEqual([[AWAY]])
    await vi.advanceTimersByTimeAsync(999)
    expect(source.loadCount).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(source.loadCount).toBe(3)
    await source.end(AWAY)
    await vi.advanceTimersByTimeAsync(1000)
    expect(source.loadCount).toBe(4)
    await source.end()
    await vi.advanceTimersByTimeAsync(10_000)
    expect([source.loadCount, source.onError.mock.calls.length]).toEqual([4, 2])
  })

  it('does not try again what was loaded meanwhile', async () => {
    const source = new Source()
    await source.opened()
    source.change()
    await source.end(AWAY)
    source.change()
    expect(source.loadCount).toBe(3)
    await source.end()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(source.loadCount).toBe(3)
  })

  it('keeps no process alive for a retry', async () => {
    const source = new Source()
    await source.opened()
    const timers = vi.spyOn(globalThis, 'setTimeout')
    source.change()
    await source.end(AWAY)
    expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false])
  })
})

describe('Mirror.close()', () => {
  it('stops watching, and loads nothing any more', async () => {
    const source = new Source()
    const mirror = await source.opened()
    await mirror.close()
    expect(source.log.at(-1)).toBe('stop')
    source.change()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(source.loadCount).toBe(1)
  })

  it('gives up what was to be tried again', async () => {
    const source = new Source()
    const mirror = await source.opened()
    source.change()
    await source.end(AWAY)
    await mirror.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends with the load that is under way, whatever becomes of it', async () => {
    for (const failure of [undefined, AWAY]) {
      const source = new Source()
      const mirror = await source.opened()
      source.change()
      source.change()
      await mirror.close()
      await source.end(failure)
      expect([source.loadCount, vi.getTimerCount()]).toEqual([2, 0])
    }
  })
})
