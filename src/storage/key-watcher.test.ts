import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Database } from './database.ts'
import type { KeyRecord } from './key-record.ts'
import { watchKeys } from './key-watcher.ts'

function keyRecord(id: string): KeyRecord {
  return {
    id,
    organization_id: 'o',
    team_id: null,
    name: 'Key',
    hash: `hash-${id}`,
    prefix: 'gh-',
    user_id: null,
    models: null,
    scopes: [],
    ip_allow: null,
    expires_at: null,
    revoked_at: null,
    created_at: new Date(0),
  }
}

/** A database whose notifications a test makes, and whose answers it sets. */
function scriptedDatabase() {
  let listener: { notify: (payload: string) => void; reconnect: () => void; lose: () => void } | undefined
  const queries: { sql: string; parameters: readonly unknown[] }[] = []
  const script = {
    answer: (_sql: string): KeyRecord[] => [],
    queries,
    notify: (payload: string) => listener?.notify(payload),
    lose: () => listener?.lose(),
    reconnect: () => listener?.reconnect(),
  }
  const database = {
    async query(sql: string, parameters: readonly unknown[] = []) {
      queries.push({ sql, parameters })
      const rows = script.answer(sql)
      return { rows, count: rows.length }
    },
    async listen(_channel: string, notify: (payload: string) => void, reconnect = () => {}, lose = () => {}) {
      listener = { notify, reconnect, lose }
      return async () => {
        listener = undefined
      }
    },
  } as unknown as Database
  return { ...script, database, set: (answer: typeof script.answer) => Object.assign(script, { answer }) }
}

describe('watchKeys()', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  async function watch() {
    const scripted = scriptedDatabase()
    const keys: string[] = []
    const onReload = vi.fn()
    const stop = await watchKeys(scripted.database, { onKey: ({ id }) => keys.push(id), onReload })
    return { ...scripted, keys, onReload, stop }
  }

  it('watchKeys() reads keys that change together in few statements', async () => {
    const { notify, queries, keys, set } = await watch()
    set(() => [keyRecord('a')])
    for (let n = 0; n < 100; n++) notify(`key-${n}`)
    await vi.runAllTimersAsync()
    expect(queries).toHaveLength(2)
    expect(queries.flatMap(({ parameters }) => parameters[0] as string[])).toHaveLength(100)
    expect(keys).toEqual(['a', 'a'])
  })

  it('watchKeys() asks for all keys where nobody can say which', async () => {
    const { notify, onReload, queries } = await watch()
    notify('*')
    await vi.runAllTimersAsync()
    expect(onReload).toHaveBeenCalledOnce()
    expect(queries).toEqual([])
  })

  it('watchKeys() tries again when a changed key cannot be read', async () => {
    const { notify, keys, set } = await watch()
    let failures = 2
    set(() => {
      if (failures-- > 0) throw new Error('away')
      return [keyRecord('a')]
    })
    notify('a')
    await vi.advanceTimersByTimeAsync(1000)
    expect(keys).toEqual(['a'])
  })

  it('watchKeys() asks the table once a second while notifications are interrupted', async () => {
    const { lose, reconnect, keys, set, queries, onReload } = await watch()
    await vi.advanceTimersByTimeAsync(5000)
    expect(queries).toEqual([])
    set(() => [keyRecord('a')])
    lose()
    await vi.advanceTimersByTimeAsync(1000)
    expect(keys).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(2000)
    expect(queries).toHaveLength(3)
    reconnect()
    expect(onReload).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(5000)
    expect(queries).toHaveLength(3)
  })

  it('watchKeys() asks further back after the table could not be asked', async () => {
    const { lose, set, queries } = await watch()
    lose()
    set(() => {
      throw new Error('away')
    })
    await vi.advanceTimersByTimeAsync(30_000)
    const seconds = queries.map(({ parameters }) => Number(parameters[0]))
    expect(seconds.at(-1)).toBeGreaterThanOrEqual(40)
    set(() => [])
    await vi.advanceTimersByTimeAsync(2000)
    expect(Number(queries.at(-1)?.parameters[0])).toBeLessThan(13)
  })

  it('watchKeys() is silent once it is stopped', async () => {
    const { lose, stop, queries } = await watch()
    lose()
    await stop()
    await vi.advanceTimersByTimeAsync(5000)
    expect(queries).toEqual([])
  })
})
