import { describe, expect, it } from 'vitest'
import { toStreamFailure } from './stream-failure.ts'

describe('toStreamFailure()', () => {
  it('keeps our own reasons, and takes any other word for the provider’s failure', () => {
    const codeOf = (code: string) => toStreamFailure({ code, type: 't', message: 'm' }).code
    expect(codeOf('upstream_timeout')).toBe('upstream_timeout')
    expect(codeOf('client_closed')).toBe('client_closed')
    for (const code of ['server_error', 'invalid_api_key', 'constructor', ''])
      expect(codeOf(code)).toBe('upstream_error')
    expect(toStreamFailure({ code: 'x', type: 't', message: 'm' })).toMatchObject({
      message: 'm',
      detail: { code: 'x' },
    })
  })
})
