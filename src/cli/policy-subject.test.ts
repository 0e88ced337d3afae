import { describe, expect, it } from 'vitest'
import { toSubjectPath } from './policy-subject.ts'

describe('toSubjectPath()', () => {
  it.each([
    ['acme', '/organizations/acme'],
    ['org:acme', '/organizations/acme'],
    ['team:0199', '/teams/0199'],
    ['key:0199', '/keys/0199'],
    ['user:acme/jane/doe@example.com', '/users/acme/jane%2Fdoe%40example.com'],
    ['tag:acme/deal=D 17', '/tags/acme/deal%3DD%2017'],
  ])('toSubjectPath() takes %s', (subject, path) => {
    expect(toSubjectPath(subject)).toBe(path)
  })

  it.each(['', 'org:', 'team:', 'user:acme', 'user:/x', 'tag:acme/deal', 'department:x'])(
    'toSubjectPath() knows nobody named %j',
    (subject) => {
      expect(() => toSubjectPath(subject)).toThrow(/names nobody/)
    },
  )
})
