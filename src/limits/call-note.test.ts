import { describe, expect, it } from 'vitest'
import { makeExchange, makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import { noteOfCall } from './call-note.ts'
import { makeDemand } from './fixtures/make-limits.ts'
import { fromNote } from './hold-note.ts'

const CALLER = { organizationId: 'o', teamId: 'T', keyId: 'K', user: 'U', models: null }
const PLAN = {
  route: 'chat',
  targets: [
    { provider: 'openai', model: 'gpt-4o', reason: '' },
    { provider: 'other', model: 'other', reason: '' },
  ],
}

describe('noteOfCall()', () => {
  it('says what is known of the row before the call leaves', () => {
    const hints = { ...NO_HINTS, session: 's', task: 'summary', tags: { deal: 'D-17' } }
    const exchange = makeExchange({
      id: 'req_7',
      receivedAtMs: 5,
      caller: CALLER,
      plan: PLAN,
      incoming: makeIncoming({ model: 'chat', stream: true }, { hints, format: 'messages' }),
    })
    expect(fromNote(noteOfCall(exchange, makeDemand({ inputBytes: 100, unitsNanoUsd: 3 })))).toEqual({
      attemptId: 'req_7.1',
      attempt: 1,
      teamId: 'T',
      keyId: 'K',
      userId: 'U',
      sessionId: 's',
      tags: { deal: 'D-17' },
      provider: 'openai',
      model: 'gpt-4o',
      operation: 'chat',
      task: 'summary',
      format: 'messages',
      stream: true,
      requestedModel: 'chat',
      // Of the request alone, without what a service may write around it.
      tokensInput: 50,
      costInputNanoUsd: 503,
      priceVersion: 'v1',
      receivedAtMs: 5,
    })
  })

  it('leaves open what nobody said', () => {
    const caller = { ...CALLER, teamId: null, keyId: null, user: null }
    const exchange = makeExchange({ caller, plan: PLAN, incoming: makeIncoming({}) })
    expect(fromNote(noteOfCall(exchange, makeDemand({ priceVersion: null })))).toMatchObject({
      teamId: null,
      keyId: null,
      userId: null,
      sessionId: null,
      task: null,
      tags: {},
      requestedModel: null,
      stream: false,
      priceVersion: null,
    })
  })

  it('is none for a call that nobody made, or that goes nowhere', () => {
    expect(noteOfCall(makeExchange({ plan: PLAN }), makeDemand())).toBeUndefined()
    expect(noteOfCall(makeExchange({ caller: CALLER }), makeDemand())).toBeUndefined()
    expect(
      noteOfCall(makeExchange({ caller: CALLER, plan: { route: 'x', targets: [] } }), makeDemand()),
    ).toBeUndefined()
  })
})
