import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Incoming } from '../pipeline/exchange.ts'
import { makeClock, makeExchange, makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import { makeKey } from './fixtures/make-key.ts'
import { createIdentifyStage } from './identify-stage.ts'
import { KeyRing } from './key-ring.ts'

const ring = new KeyRing()
ring.put(makeKey('gh-a', { teamId: 'team-1', models: ['chat'] }))
ring.put(makeKey('gh-ann', { user: 'ann' }))
const stage = createIdentifyStage(ring, makeClock())

function enter(changes: Partial<Incoming>, caller?: Parameters<typeof makeExchange>[0]) {
  const exchange = makeExchange({ incoming: makeIncoming(undefined, changes), ...caller })
  stage.enter?.(exchange)
  return exchange.caller
}

describe('createIdentifyStage()', () => {
  it('says who calls', () => {
    expect(enter({ credential: 'gh-a' })).toEqual({
      organizationId: 'org-1',
      teamId: 'team-1',
      keyId: 'id of gh-a',
      user: null,
      models: ['chat'],
    })
  })

  it('books the user that the call names, unless the key has its own', () => {
    const hints = { ...NO_HINTS, user: 'bob' }
    expect(enter({ credential: 'gh-a', hints })?.user).toBe('bob')
    expect(enter({ credential: 'gh-ann', hints })?.user).toBe('ann')
  })

  it('leaves the caller of the library as it is', () => {
    const caller = { organizationId: 'o', teamId: null, keyId: null, user: null, models: null }
    expect(enter({ credential: undefined }, { caller })).toBe(caller)
  })

  it('tells a stranger nothing of what is wrong with the request', () => {
    const problem = new GatewayError('invalid_request', { message: 'The field `model` is missing.' })
    expect(() => enter({ credential: 'gh-x', problem })).toThrow(
      expect.objectContaining({ code: 'invalid_api_key' }),
    )
  })

  it('tells it to a caller that is known, and books it', () => {
    const problem = new GatewayError('invalid_request', { message: 'The field `model` is missing.' })
    const exchange = makeExchange({ incoming: makeIncoming(undefined, { credential: 'gh-a', problem }) })
    expect(() => stage.enter?.(exchange)).toThrow(problem)
    expect(exchange.caller?.keyId).toBe('id of gh-a')
  })
})
