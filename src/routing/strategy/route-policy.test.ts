import { expect, it } from 'vitest'
import { parseConfig } from '../../config/load.ts'
import { DEFAULT_POLICY, shouldShadow, toPolicy } from './route-policy.ts'

it('DEFAULT_POLICY is what the configuration makes of a route without settings', () => {
  const { models } = parseConfig(
    { providers: { p: { kind: 'openai' } }, models: { r: { targets: ['p/m'] } } },
    { knownKinds: ['openai'] },
  )
  expect(models.r === undefined ? undefined : toPolicy(models.r)).toEqual(DEFAULT_POLICY)
})

it('shouldShadow() copies its share of the calls', () => {
  const shadow = { provider: 'p', model: 'm', share: 0.25 }
  expect([0, 0.2499, 0.25, 0.9].map((random) => shouldShadow(shadow, random))).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect(shouldShadow(undefined, 0)).toBe(false)
})
