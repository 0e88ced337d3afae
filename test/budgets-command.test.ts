import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from './support/command.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway
let organizationId: string

beforeAll(async () => {
  house = await startGateway()
  organizationId = (await house.newOrganization('Acme')).id
})
afterAll(() => house.close())

const run = (...words: string[]) =>
  runCommand(words, {
    cwd: '/',
    env: { GATEHOUSE_PORT: new URL(house.url).port, GATEHOUSE_ADMIN_KEY: house.adminKey },
  })

const json = async (...words: string[]) => {
  const { code, stdout, stderr } = await run(...words, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what each test asserts
  return JSON.parse(stdout) as any
}

describe('gatehouse budgets', () => {
  it('sets, shows, lists and removes a budget', async () => {
    const set = await json(
      ...['budgets', 'set', 'tag:acme/deal=D 17', '--monthly-usd', '50.25'],
      ...['--alert-at', '1,0.5', '--soft', '--period', 'week'],
    )
    const expected = { limitUsd: '50.25', alertAt: [0.5, 1], hardLimit: false, period: 'week' }
    expect(set).toMatchObject({ organizationId, scope: 'tag', subject: 'deal=D 17', ...expected })
    expect(await json('budgets', 'show', 'tag:acme/deal=D 17')).toEqual(set)
    const lifted = await json('budgets', 'set', 'tag:acme/deal=D 17', '--monthly-usd', 'none', '--hard')
    expect(lifted).toMatchObject({ ...expected, limitUsd: null, hardLimit: true })
    const { stdout } = await run('budgets', '--org', 'acme')
    expect(stdout).toMatch(/tag +deal=D 17 +– +0 +0 +– +week +hard/)
    expect((await json('budgets', 'list')).length).toBeGreaterThan(2)
    expect(await run('budgets', 'remove', 'tag:acme/deal=D 17')).toMatchObject({ code: 0 })
    expect(await json('budgets', '--org', 'acme')).toHaveLength(1)
  })

  it('does nothing in a dry run', async () => {
    const before = await json('budgets', 'show', 'acme')
    const path = '/organizations/acme/budget'
    expect(await json('budgets', 'set', 'acme', '--monthly-usd', '1', '--dry-run')).toEqual({
      dryRun: true,
      method: 'PUT',
      path,
      body: { monthlyLimitUsd: '1' },
    })
    expect(await json('budgets', 'remove', 'acme', '--dry-run')).toMatchObject({ dryRun: true, path })
    expect(await json('budgets', 'show', 'acme')).toEqual(before)
  })

  it.each([
    [2, 'an amount that is none', ['budgets', 'set', 'acme', '--monthly-usd', '5x']],
    [2, 'nothing to set', ['budgets', 'set', 'acme']],
    [2, 'a subject that names nobody', ['budgets', 'show', 'user:acme']],
    [1, 'an organization that is not there', ['budgets', 'show', 'nobody']],
    [2, 'a count that is none', ['limits', 'set', 'acme', '--tokens-per-hour', '-1']],
  ])('ends with %i for %s', async (code, _, words) => {
    const ended = await run(...words)
    expect(ended.code).toBe(code)
    expect(ended.stderr).not.toMatch(/\n {4}at /)
  })
})

describe('gatehouse limits', () => {
  it('sets, shows, lists and removes limits', async () => {
    const set = await json(
      ...['limits', 'set', 'user:acme/jane', '--requests-per-minute', '5', '--tokens-per-hour', '0'],
      ...['--cost-per-day-usd', '1.5', '--on-limit', '2000/100'],
    )
    expect(set).toMatchObject({
      requestsPerMinute: 5,
      tokensPerHour: 0,
      costPerDayUsd: '1.5',
      onLimit: { queueMs: 2000, queueMax: 100 },
    })
    expect(await json('limits', 'show', 'user:acme/jane')).toEqual(set)
    const lifted = await json('limits', 'set', 'user:acme/jane', '--tokens-per-hour', 'none')
    expect(lifted).toMatchObject({ requestsPerMinute: 5, tokensPerHour: null })
    const { stdout } = await run('limits', '--org', 'acme')
    expect(stdout).toMatch(/user +jane +5 +– +– +1\.5 +– +wait 2000 ms, at most 100 calls/)
    expect(await run('limits', 'remove', 'user:acme/jane')).toMatchObject({ code: 0 })
    expect(await json('limits', '--org', 'acme')).toEqual([])
  })
})
