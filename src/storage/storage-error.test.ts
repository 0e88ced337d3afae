import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { toStorageError } from './storage-error.ts'

const withCode = (code: string) => Object.assign(new Error('text of the server'), { code })

describe('toStorageError()', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', '57P01', '57P03', '53300', '08006', '25006', '53100', '40P01'])(
    'toStorageError() %s is an outage',
    (code) => {
      const error = toStorageError(withCode(code))
      expect(error).toBeInstanceOf(GatewayError)
      expect(error).toMatchObject({ code: 'storage_unavailable', retryAfterSeconds: 1 })
      expect((error as GatewayError).message).not.toContain('text of the server')
    },
  )

  it.each(['timeout exceeded when trying to connect', 'Connection terminated unexpectedly'])(
    'toStorageError() "%s" is an outage',
    (message) => {
      expect(toStorageError(new Error(message))).toMatchObject({ code: 'storage_unavailable' })
    },
  )

  it.each(['23505', '42P01', '22012'])('toStorageError() %s is about the statement', (code) => {
    const error = withCode(code)
    expect(toStorageError(error)).toBe(error)
  })
})
