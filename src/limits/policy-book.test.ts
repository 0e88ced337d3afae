import { describe, expect, it } from 'vitest'
import type { Caller } from '../pipeline/exchange.ts'
import {
  type Budget,
  type Limits,
  NO_BUDGET,
  NO_LIMITS,
  ORGANIZATION,
  type Policy,
  SCOPES,
} from './policy.ts'
import { CompiledPolicy, PolicyBook } from './policy-book.ts'

const NOW = Date.UTC(2026, 1, 10)
const MARCH = Date.UTC(2026, 2)
const KEY = { scope: 'key', id: 'K' } as const
const CALLER: Caller = { organizationId: 'o', teamId: 'T', keyId: 'K', user: 'U', models: null }
const STRANGER: Caller = { organizationId: 'o', teamId: null, keyId: null, user: null, models: null }
const TEN = { ...NO_LIMITS, requestsPerMinute: 10 }

function policyOf(changes: Partial<Policy> = {}): Policy {
  return { organizationId: 'o', subject: ORGANIZATION, limits: TEN, budget: undefined, ...changes }
}

function bookOf(...policies: readonly Partial<Policy>[]): PolicyBook {
  const book = new PolicyBook()
  for (const policy of policies) book.put(policyOf(policy))
  return book
}

function covering(book: PolicyBook, caller: Caller = CALLER, tags: Readonly<Record<string, string>> = {}) {
  return book.covering(caller, tags, NOW).meters.map(({ id }) => id)
}

describe('CompiledPolicy', () => {
  const budgeted = (budget: Partial<Budget> = {}) =>
    new CompiledPolicy(policyOf({ limits: undefined, budget: { ...NO_BUDGET, ...budget } }))

  it('makes its meters once', () => {
    const compiled = new CompiledPolicy(policyOf({ budget: NO_BUDGET }))
    expect(compiled.rates.map(({ id }) => id)).toEqual(['organization/requests_per_minute'])
    expect(compiled.budgetAt(NOW)).toBe(compiled.budgetAt(NOW + 1))
    expect(compiled.subject).toEqual(ORGANIZATION)
  })

  it('has a budget of each period, also of one that is over', () => {
    const compiled = budgeted()
    const february = { kind: 'period', startMs: Date.UTC(2026, 1), endMs: MARCH }
    expect(compiled.budgetAt(NOW)?.window).toEqual(february)
    expect(compiled.budgetAt(MARCH - 1)?.window).toEqual(february)
    expect(compiled.budgetAt(MARCH)?.window).toMatchObject({ startMs: MARCH })
    // A call that came in before the turn of the month.
    expect(compiled.budgetAt(MARCH - 1)?.window).toEqual(february)
    const first = compiled.budgetAt(Date.UTC(2026, 1))
    expect(first?.window).toEqual(february)
    expect(compiled.budgetAt(Date.UTC(2026, 1))).toBe(first)
  })

  it('may have no budget, and no limits', () => {
    expect(new CompiledPolicy(policyOf()).budgetAt(NOW)).toBeUndefined()
    expect(budgeted().rates).toEqual([])
  })

  it('says what happens at its limits', () => {
    const queue = { queueMs: 10, queueMax: 2 }
    expect(budgeted().onLimit).toBe('reject')
    expect(new CompiledPolicy(policyOf()).onLimit).toBe('reject')
    expect(new CompiledPolicy(policyOf({ limits: { ...TEN, onLimit: queue } })).onLimit).toBe(queue)
  })
})

describe('PolicyBook.covering()', () => {
  const subjects = [
    ORGANIZATION,
    { scope: 'team', id: 'T' },
    KEY,
    { scope: 'user', id: 'U' },
    { scope: 'tag', id: 'a=1' },
    { scope: 'tag', id: 'b=2' },
  ] as const

  it('is nothing where nothing is set', () => {
    expect(bookOf().covering(CALLER, { a: '1' }, NOW)).toEqual({
      meters: [],
      owners: [],
      isLimited: false,
      failClosed: false,
    })
    expect(covering(bookOf({ organizationId: 'other' }))).toEqual([])
  })

  it('is what is set on all that a call belongs to, from wide to narrow', () => {
    const book = bookOf(...subjects.toReversed().map((subject) => ({ subject })))
    const found = book.covering(CALLER, { b: '2', a: '1', c: '3' }, NOW)
    expect(found.meters.map(({ id }) => id)).toEqual([
      'organization/requests_per_minute',
      'team/T/requests_per_minute',
      'key/K/requests_per_minute',
      'user/U/requests_per_minute',
      'tag/b=2/requests_per_minute',
      'tag/a=1/requests_per_minute',
    ])
    expect(found.owners.map(({ subject }) => subject.id)).toEqual(['', 'T', 'K', 'U', 'b=2', 'a=1'])
  })

  it('is only what is set on the organization for a call that belongs to nothing else', () => {
    const book = bookOf(...subjects.map((subject) => ({ subject })))
    expect(covering(book, STRANGER)).toEqual(['organization/requests_per_minute'])
    expect(covering(book, { ...CALLER, teamId: 'T2', keyId: 'K2', user: 'U2' }, { a: '2', b: '1' })).toEqual([
      'organization/requests_per_minute',
    ])
  })

  it('finds each scope by itself', () => {
    for (const subject of subjects) {
      const book = bookOf({ subject })
      expect(covering(book, CALLER, { a: '1', b: '2' })).toHaveLength(1)
      expect(covering(book, STRANGER)).toHaveLength(subject.scope === 'organization' ? 1 : 0)
    }
    // A name of one scope is none of another.
    const team = bookOf({ subject: { scope: 'team', id: 'K' } })
    expect(covering(team, { ...STRANGER, keyId: 'K', user: 'K' }, { K: '' })).toEqual([])
  })

  it('counts rates and the budget of each, which know whose they are', () => {
    const book = bookOf({ budget: NO_BUDGET }, { subject: KEY, limits: undefined, budget: NO_BUDGET })
    const { meters, owners } = book.covering(CALLER, {}, NOW)
    expect(meters.map(({ id }) => id)).toEqual([
      'organization/requests_per_minute',
      'organization/budget',
      'key/K/budget',
    ])
    expect(owners.map(({ subject }) => subject.scope)).toEqual(['organization', 'organization', 'key'])
  })

  it('counts in the period of the moment in which the call came in', () => {
    const book = bookOf({ limits: undefined, budget: NO_BUDGET })
    const startAt = (atMs: number) => book.covering(CALLER, {}, atMs).meters[0]?.window
    expect(startAt(NOW)).toMatchObject({ startMs: Date.UTC(2026, 1) })
    expect(startAt(MARCH)).toMatchObject({ startMs: MARCH })
  })

  it('is limited where anything can refuse', () => {
    const limited = (...policies: readonly Partial<Policy>[]) =>
      bookOf(...policies).covering(CALLER, {}, NOW).isLimited
    expect(limited({ limits: undefined, budget: NO_BUDGET })).toBe(false)
    expect(limited({ limits: undefined, budget: { ...NO_BUDGET, limitNanoUsd: 5, hardLimit: false } })).toBe(
      false,
    )
    expect(limited({ limits: undefined, budget: { ...NO_BUDGET, limitNanoUsd: 0 } })).toBe(true)
    expect(limited({ budget: NO_BUDGET })).toBe(true)
  })

  it('fails closed where the organization says so, and nobody else', () => {
    const closed: Limits = { ...TEN, failClosed: true }
    const failsClosed = (...policies: readonly Partial<Policy>[]) =>
      bookOf(...policies).covering(CALLER, {}, NOW).failClosed
    expect(failsClosed({ limits: closed })).toBe(true)
    expect(failsClosed({ limits: TEN })).toBe(false)
    expect(failsClosed({ limits: undefined, budget: NO_BUDGET })).toBe(false)
    expect(failsClosed({ subject: KEY, limits: closed })).toBe(false)
  })
})

describe('PolicyBook.put()', () => {
  it('puts one in place of the other', () => {
    const book = bookOf({}, { subject: KEY })
    book.put(policyOf({ limits: { ...TEN, requestsPerMinute: 20 } }))
    expect(book.find('o', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(20)
    expect(book.size).toBe(2)
  })

  it('takes away what has neither limits nor a budget', () => {
    const book = bookOf({}, { subject: KEY, budget: NO_BUDGET, limits: undefined })
    book.put(policyOf({ limits: undefined }))
    expect(book.find('o', ORGANIZATION)).toBeUndefined()
    expect([book.size, [...book.organizations()]]).toEqual([1, ['o']])
    book.put(policyOf({ limits: undefined }))
    expect(book.size).toBe(1)
    book.put(policyOf({ subject: KEY, limits: undefined }))
    expect([book.size, [...book.organizations()]]).toEqual([0, []])
    book.put(policyOf({ subject: KEY, limits: undefined }))
    expect([book.size, [...book.organizations()]]).toEqual([0, []])
  })
})

describe('PolicyBook.find()', () => {
  it('knows organizations, scopes and ids apart', () => {
    const book = bookOf({ subject: KEY })
    expect(book.find('o', KEY)?.subject).toEqual(KEY)
    expect(book.find('p', KEY)).toBeUndefined()
    expect(book.find('o', { scope: 'team', id: 'K' })).toBeUndefined()
    expect(book.find('o', { scope: 'key', id: 'k' })).toBeUndefined()
  })
})

describe('PolicyBook.ofOrganization()', () => {
  it('lists all that is set, wide scopes first', () => {
    const subjects = SCOPES.map((scope) => ({ scope, id: scope === 'organization' ? '' : 'x' })).toReversed()
    const book = bookOf(...subjects.map((subject) => ({ subject })), { organizationId: 'p' })
    expect(Array.from(book.ofOrganization('o'), ({ subject }) => subject.scope)).toEqual([...SCOPES])
    expect([...book.ofOrganization('none')]).toEqual([])
    expect([...book.organizations()]).toEqual(['o', 'p'])
  })
})

describe('PolicyBook.beginReload()', () => {
  it('takes what is read and forgets the rest', () => {
    const book = bookOf({}, { subject: KEY }, { organizationId: 'gone' })
    const reload = book.beginReload()
    reload.put(policyOf({ limits: { ...TEN, requestsPerMinute: 20 } }))
    reload.put(policyOf({ organizationId: 'new' }))
    expect(covering(book)).toHaveLength(2)
    reload.finish()
    expect(book.find('o', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(20)
    expect([...book.organizations()]).toEqual(['o', 'new'])
    expect(book.size).toBe(2)
  })

  it('keeps apart what is read of each organization, scope and id', () => {
    const book = bookOf(
      { subject: KEY },
      { subject: { scope: 'team', id: 'K' } },
      { subject: { scope: 'key', id: 'L' } },
    )
    book.put(policyOf({ organizationId: 'p', subject: KEY }))
    const reload = book.beginReload()
    reload.put(policyOf({ subject: KEY }))
    reload.finish()
    expect([book.size, book.find('o', KEY)?.subject]).toEqual([1, KEY])
  })

  it('does not undo what changed since, before or after it is read', () => {
    const book = bookOf({ subject: KEY })
    const reload = book.beginReload()
    const changed = policyOf({ limits: { ...TEN, requestsPerMinute: 30 } })
    book.put(changed)
    reload.put(policyOf({ limits: { ...TEN, requestsPerMinute: 1 } }))
    book.put(policyOf({ subject: KEY, limits: undefined }))
    reload.put(policyOf({ subject: KEY }))
    // Set after that part was read.
    book.put(policyOf({ subject: { scope: 'team', id: 'T' } }))
    reload.finish()
    expect(book.find('o', ORGANIZATION)?.policy).toBe(changed)
    expect(book.find('o', KEY)).toBeUndefined()
    expect(book.find('o', { scope: 'team', id: 'T' })).toBeDefined()
  })

  it('holds nothing against the next one', () => {
    const book = bookOf()
    const first = book.beginReload()
    book.put(policyOf())
    first.finish()
    book.put(policyOf({ subject: KEY }))
    const second = book.beginReload()
    second.put(policyOf({ limits: { ...TEN, requestsPerMinute: 2 } }))
    second.finish()
    expect(book.find('o', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(2)
    expect(book.find('o', KEY)).toBeUndefined()
  })

  it('begins anew where an earlier one failed half-way', () => {
    const book = bookOf()
    book.beginReload()
    book.put(policyOf())
    const second = book.beginReload()
    second.put(policyOf({ limits: { ...TEN, requestsPerMinute: 2 } }))
    second.finish()
    expect(book.find('o', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(2)
  })

  it('takes away what was read as removed', () => {
    const book = bookOf({})
    const reload = book.beginReload()
    reload.put(policyOf({ limits: undefined }))
    reload.finish()
    expect(book.size).toBe(0)
  })
})
