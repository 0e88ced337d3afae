import { describe, expect, it } from 'vitest'
import { focusHeader, toFocus } from './focus.ts'
import type { Charge } from './ports.ts'

/** Mandatory in 1.2 (https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, feature level of each column). */
const MANDATORY = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ContractedCost',
  'EffectiveCost',
  'InvoiceIssuerName',
  'ListCost',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ServiceCategory',
  'ServiceName',
]

const STATEMENT = {
  month: '2026-02',
  periodStart: '2026-02-01T00:00:00.000Z',
  periodEnd: '2026-03-01T00:00:00.000Z',
  organizationId: 'o1',
  organizationName: '@Acme',
  status: 'closed' as const,
}
const CHARGE: Charge = {
  day: '2026-02-28',
  teamId: 't1',
  keyId: 'k1',
  provider: 'openai',
  model: 'gpt-4o',
  requests: 3,
  tokensInput: 200,
  tokensOutput: 50,
  tokensCached: 20,
  tokensCacheWrite: 5,
  tokensReasoning: 7,
  costUsd: '0.000000001',
  estimatedUsd: '0',
}
const NAMES = { team: new Map([['t1', '=Team']]), key: new Map<string, string>() }

/** No cell of these rows holds a comma but `Tags`, which is quoted. */
function rowOf(charge: Partial<Charge>, version: '1.2' | '1.3' = '1.2'): Record<string, string> {
  const header = focusHeader(version).trimEnd().split(',')
  const cells = toFocus(STATEMENT, [{ ...CHARGE, ...charge }], NAMES, version)
    .trimEnd()
    .match(/(?:"(?:[^"]|"")*"|[^,]*)(?:,|$)/g)
    ?.map((cell) => cell.replace(/,$/, ''))
  return Object.fromEntries(header.map((name, n) => [name, cells?.[n] ?? '']))
}

describe('focusHeader()', () => {
  it('focusHeader() has every mandatory column, the specified ones before our own', () => {
    const columns = focusHeader('1.2').trimEnd().split(',')
    expect(columns).toEqual(expect.arrayContaining(MANDATORY))
    expect(new Set(columns).size).toBe(columns.length)
    const own = columns.findIndex((name) => name.startsWith('x_'))
    expect(columns.slice(own).every((name) => name.startsWith('x_'))).toBe(true)
    for (const part of [columns.slice(0, own), columns.slice(own)]) expect(part).toEqual([...part].sort())
  })

  it('focusHeader() of 1.3 adds the columns that replace the providers of 1.2', () => {
    const before = new Set(focusHeader('1.2').trimEnd().split(','))
    const added = focusHeader('1.3')
      .trimEnd()
      .split(',')
      .filter((name) => !before.has(name))
    expect(added).toEqual(['HostProviderName', 'ServiceProviderName'])
  })
})

describe('toFocus()', () => {
  it('toFocus() writes one day of one key and model', () => {
    expect(rowOf({}, '1.3')).toMatchObject({
      BilledCost: '0.000000001',
      ListCost: '0.000000001',
      BillingAccountId: 'o1',
      BillingAccountName: "'@Acme",
      BillingPeriodStart: '2026-02-01T00:00:00Z',
      BillingPeriodEnd: '2026-03-01T00:00:00Z',
      ChargePeriodStart: '2026-02-28T00:00:00Z',
      ChargePeriodEnd: '2026-03-01T00:00:00Z',
      ChargeClass: '',
      ConsumedQuantity: '250',
      ConsumedUnit: 'Tokens',
      ServiceProviderName: 'openai',
      HostProviderName: 'openai',
      ProviderName: 'openai',
      SkuId: 'openai/gpt-4o',
      SubAccountId: 't1',
      SubAccountName: "'=Team",
      Tags: '"{""key"":""k1"",""team"":""=Team""}"',
      x_InputTokens: '200',
      x_CacheWriteTokens: '5',
    })
  })

  it('toFocus() marks what belongs to a month that was closed before', () => {
    expect(rowOf({ day: '2026-01-31' })).toMatchObject({
      ChargeClass: 'Correction',
      BillingPeriodStart: '2026-02-01T00:00:00Z',
      ChargePeriodStart: '2026-01-31T00:00:00Z',
    })
  })

  it('toFocus() counts calls where there are no tokens, and leaves no provider empty', () => {
    expect(rowOf({ tokensInput: 0, tokensOutput: 0, provider: null, model: null })).toMatchObject({
      ConsumedQuantity: '3',
      ConsumedUnit: 'Requests',
      PricingUnit: 'Requests',
      ProviderName: 'Gatehouse',
      PublisherName: 'Gatehouse',
      SkuId: '',
    })
  })
})
