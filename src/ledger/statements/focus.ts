import { toCanonicalJson } from './canonical-json.ts'
import { type Cell, toCsvRecord } from './csv.ts'
import { monthOfDay } from './month.ts'
import type { Charge, Names } from './ports.ts'
import type { Statement } from './statement.ts'

/** Versions of the FinOps Open Cost and Usage Specification that can be written. */
export const FOCUS_VERSIONS = ['1.2', '1.3'] as const
export type FocusVersion = (typeof FOCUS_VERSIONS)[number]

/** Who issues these statements. */
const ISSUER = 'Gatehouse'
const DAY_MS = 86_400_000

type Head = Pick<
  Statement,
  'month' | 'periodStart' | 'periodEnd' | 'organizationId' | 'organizationName' | 'status'
>

interface Row {
  readonly statement: Head
  readonly charge: Charge
  readonly names: Names
}

interface Column {
  readonly name: string
  readonly cell: (row: Row) => Cell
  /** Version that brought it; unset: all. */
  readonly since?: FocusVersion
}

/**
 * Columns of the Cost and Usage data set, in the order of the alphabet, as the specification wishes, then our own with
 * `x_`. Mandatory ones are all here; of the conditional ones those that apply
 * (https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, read 2026-11). 1.3 replaces ProviderName and
 * PublisherName by ServiceProviderName and HostProviderName, and still demands the old ones beside them.
 *
 * A gateway sells at what it pays, so the four costs are the same amount. Unit prices are left out: a row joins input,
 * output and cached tokens, which have no price in common.
 */
const COLUMNS: readonly Column[] = [
  { name: 'BilledCost', cell: ({ charge }) => ({ exact: charge.costUsd }) },
  { name: 'BillingAccountId', cell: ({ statement }) => statement.organizationId },
  { name: 'BillingAccountName', cell: ({ statement }) => statement.organizationName },
  { name: 'BillingAccountType', cell: () => 'Organization' },
  { name: 'BillingCurrency', cell: () => 'USD' },
  { name: 'BillingPeriodEnd', cell: ({ statement }) => toSeconds(statement.periodEnd) },
  { name: 'BillingPeriodStart', cell: ({ statement }) => toSeconds(statement.periodStart) },
  { name: 'ChargeCategory', cell: () => 'Usage' },
  // A correction is what belongs to a billing period that was invoiced before.
  { name: 'ChargeClass', cell: (row) => (isCorrection(row) ? 'Correction' : null) },
  { name: 'ChargeDescription', cell: toDescription },
  { name: 'ChargeFrequency', cell: () => 'Usage-Based' },
  { name: 'ChargePeriodEnd', cell: ({ charge }) => toSeconds(dayAfter(charge.day)) },
  { name: 'ChargePeriodStart', cell: ({ charge }) => `${charge.day}T00:00:00Z` },
  { name: 'ConsumedQuantity', cell: ({ charge }) => quantityOf(charge) },
  { name: 'ConsumedUnit', cell: ({ charge }) => unitOf(charge) },
  { name: 'ContractedCost', cell: ({ charge }) => ({ exact: charge.costUsd }) },
  { name: 'EffectiveCost', cell: ({ charge }) => ({ exact: charge.costUsd }) },
  { name: 'HostProviderName', cell: ({ charge }) => providerOf(charge), since: '1.3' },
  { name: 'InvoiceIssuerName', cell: () => ISSUER },
  { name: 'ListCost', cell: ({ charge }) => ({ exact: charge.costUsd }) },
  { name: 'PricingCategory', cell: () => 'Standard' },
  { name: 'PricingQuantity', cell: ({ charge }) => quantityOf(charge) },
  { name: 'PricingUnit', cell: ({ charge }) => unitOf(charge) },
  { name: 'ProviderName', cell: ({ charge }) => providerOf(charge) },
  { name: 'PublisherName', cell: ({ charge }) => providerOf(charge) },
  { name: 'ResourceId', cell: ({ charge }) => skuOf(charge) },
  { name: 'ResourceName', cell: ({ charge }) => charge.model },
  { name: 'ResourceType', cell: ({ charge }) => (charge.model === null ? null : 'Model') },
  { name: 'ServiceCategory', cell: () => 'AI and Machine Learning' },
  { name: 'ServiceName', cell: () => 'Model inference' },
  { name: 'ServiceProviderName', cell: ({ charge }) => providerOf(charge), since: '1.3' },
  { name: 'SkuId', cell: ({ charge }) => skuOf(charge) },
  { name: 'SkuMeter', cell: ({ charge }) => unitOf(charge) },
  // The specification lets it match SkuId, and without it no quantity may be given.
  { name: 'SkuPriceId', cell: ({ charge }) => skuOf(charge) },
  { name: 'SubAccountId', cell: ({ charge }) => charge.teamId },
  { name: 'SubAccountName', cell: ({ charge, names }) => nameOf(names.team, charge.teamId) },
  { name: 'SubAccountType', cell: ({ charge }) => (charge.teamId === null ? null : 'Team') },
  { name: 'Tags', cell: toTags },
  { name: 'x_CacheReadTokens', cell: ({ charge }) => charge.tokensCached },
  { name: 'x_CacheWriteTokens', cell: ({ charge }) => charge.tokensCacheWrite },
  { name: 'x_EstimatedCost', cell: ({ charge }) => ({ exact: charge.estimatedUsd }) },
  { name: 'x_InputTokens', cell: ({ charge }) => charge.tokensInput },
  { name: 'x_KeyId', cell: ({ charge }) => charge.keyId },
  { name: 'x_Model', cell: ({ charge }) => charge.model },
  { name: 'x_OutputTokens', cell: ({ charge }) => charge.tokensOutput },
  { name: 'x_ReasoningTokens', cell: ({ charge }) => charge.tokensReasoning },
  { name: 'x_Requests', cell: ({ charge }) => charge.requests },
  { name: 'x_StatementStatus', cell: ({ statement }) => statement.status },
]

function columnsOf(version: FocusVersion): readonly Column[] {
  return COLUMNS.filter(({ since }) => since === undefined || since <= version)
}

export function focusHeader(version: FocusVersion): string {
  return toCsvRecord(columnsOf(version).map(({ name }) => name))
}

/** @returns one record for each charge that cost or moved anything */
export function toFocus(
  statement: Head,
  charges: readonly Charge[],
  names: Names,
  version: FocusVersion,
): string {
  const columns = columnsOf(version)
  return charges
    .map((charge) => toCsvRecord(columns.map(({ cell }) => cell({ statement, charge, names }))))
    .join('')
}

function isCorrection({ statement, charge }: Row): boolean {
  return monthOfDay(charge.day) !== statement.month
}

function toDescription(row: Row): string {
  const { charge } = row
  const what = skuOf(charge) ?? 'calls that reached no provider'
  return `${isCorrection(row) ? 'Late usage of' : 'Usage of'} ${what}`
}

/** Media are sold by the piece and count no tokens; then calls are what was consumed. */
function unitOf(charge: Charge): 'Tokens' | 'Requests' {
  return tokensOf(charge) > 0 ? 'Tokens' : 'Requests'
}

function quantityOf(charge: Charge): number {
  return unitOf(charge) === 'Tokens' ? tokensOf(charge) : charge.requests
}

function tokensOf({ tokensInput, tokensOutput }: Charge): number {
  return tokensInput + tokensOutput
}

/** What no provider did was ours: an answer from the cache that is charged by policy. */
function providerOf({ provider }: Charge): string {
  return provider ?? ISSUER
}

function skuOf({ provider, model }: Charge): string | null {
  if (provider === null) return model
  return model === null ? provider : `${provider}/${model}`
}

function toTags({ charge, names }: Row): string {
  const tags = {
    team: nameOf(names.team, charge.teamId),
    key: nameOf(names.key, charge.keyId),
  }
  return toCanonicalJson(Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== null)))
}

function nameOf(names: ReadonlyMap<string, string>, id: string | null): string | null {
  return id === null ? null : (names.get(id) ?? id)
}

function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00.000Z`) + DAY_MS).toISOString()
}

/** The specification's date format has no fractions: `2026-02-01T00:00:00Z`. */
function toSeconds(iso: string): string {
  return `${iso.slice(0, 19)}Z`
}
