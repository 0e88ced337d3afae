import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { descendantsOf, parseStat, readProcessTree } from './process-tree.ts'

test('parseStat() finds the fields behind a name with blanks and parentheses', () => {
  const text = '42 (node (v24) x) S 7 42 42 0 -1 4194304 100 0 0 0 31 12 5 2 20 0 11 0 1000 0 0'
  expect(parseStat(text)).toEqual({ parentPid: 7, cpuTicks: 50 })
})

test('parseStat() returns nothing for a process that is gone', () => {
  expect(parseStat('')).toBeUndefined()
})

test('descendantsOf() names each process below the root once', () => {
  const stats = new Map([1, 2, 3, 4, 5].map((pid) => [pid, { parentPid: [0, 0, 1, 3, 2][pid - 1] ?? 0 }]))
  expect(descendantsOf(1, stats)).toEqual([1, 3, 4])
})

test('readProcessTree() counts the CPU time of a grandchild, also after its end', async () => {
  const burn = 'while (process.cpuUsage().user < 150000);'
  const child = spawn(
    process.execPath,
    [
      '-e',
      `require('child_process').spawnSync(process.execPath, ['-e', '${burn}']); process.stdin.resume(); process.stdout.write('done')`,
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
  try {
    await once(child.stdout, 'data')
    const { cpuMs, processes, rssBytes } = readProcessTree(child.pid ?? 0)
    expect(cpuMs).toBeGreaterThanOrEqual(100)
    expect(processes).toBe(1)
    expect(rssBytes).toBeGreaterThan(1_000_000)
  } finally {
    child.kill()
  }
})
