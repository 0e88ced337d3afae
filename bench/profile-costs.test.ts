import { expect, test } from 'vitest'
import type { CpuProfile } from './inspector.ts'
import { toCosts } from './profile-costs.ts'

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 9 })

test('toCosts() gives each function its own time, and its callers’ once where it calls itself', () => {
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 4] },
      { id: 2, callFrame: frame('walk', 'file:///root/src/core/x.ts'), children: [3] },
      { id: 3, callFrame: frame('walk', 'file:///root/src/core/x.ts') },
      { id: 4, callFrame: frame('(idle)', '') },
    ],
    samples: [2, 3, 4, 3],
    timeDeltas: [50, 100, 200, 400],
  }
  const { busyUs, selfUs, totalUs, moduleUs } = toCosts(profile, '/root')
  expect(busyUs).toBe(300)
  expect(selfUs.get('walk src/core/x.ts:10')).toBe(300)
  expect(totalUs.get('walk src/core/x.ts:10')).toBe(300)
  expect(totalUs.get('(root)')).toBe(300)
  expect(moduleUs.get('src/core')).toBe(300)
})
