import { describe, expect, it } from 'vitest'
import { decodeRow, encodeRow } from './journal-row.ts'
import { ledgerRow } from './ledger-row-fixture.ts'

describe('decodeRow()', () => {
  it('reads what the first version wrote', () => {
    const text =
      '["id","req",1,true,"org","team","key","user","session",{"deal":"1"},"openai","gpt-4o","chat","chat","task",' +
      '"messages",true,200,"code",1,2,3,4,5,6,"price",true,"exact",7.5,8.5,9.5,{"a":1},1700000000000]'
    expect(decodeRow(text)).toEqual({
      id: 'id',
      requestId: 'req',
      attempt: 1,
      final: true,
      organizationId: 'org',
      teamId: 'team',
      keyId: 'key',
      userId: 'user',
      sessionId: 'session',
      tags: { deal: '1' },
      provider: 'openai',
      model: 'gpt-4o',
      requestedModel: 'chat',
      operation: 'chat',
      task: 'task',
      format: 'messages',
      stream: true,
      status: 200,
      errorCode: 'code',
      tokensInput: 1,
      tokensOutput: 2,
      tokensCached: 3,
      tokensCacheWrite: 4,
      tokensReasoning: 5,
      costNanoUsd: 6,
      priceVersion: 'price',
      estimated: true,
      cache: 'exact',
      latencyMs: 7.5,
      firstTokenMs: 8.5,
      overheadMs: 9.5,
      waterfall: { a: 1 },
      createdAt: new Date(1_700_000_000_000),
    })
  })

  it('leaves null what an earlier version did not know', () => {
    const values = JSON.parse(encodeRow(ledgerRow({ id: 'old' }))) as unknown[]
    const row = decodeRow(JSON.stringify(values.slice(0, 20)))
    expect(row).toMatchObject({ id: 'old', tokensInput: 200, tokensOutput: null, waterfall: null })
  })

  it('refuses what is no row', () => {
    for (const text of ['', '{}', '[]', '[1]', 'null', '["id"']) {
      expect(() => decodeRow(text)).toThrow(SyntaxError)
    }
  })
})
