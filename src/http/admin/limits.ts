import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { idParams, pageOf, pageQuery } from '../../contract/admin.ts'
import {
  type BudgetChange,
  type BudgetReply,
  budget,
  budgetChange,
  type LimitsChange,
  type LimitsReply,
  limits,
  limitsChange,
  policy as policyReply,
  usdToNano,
} from '../../contract/limits.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Gateway } from '../../gateway.ts'
import { metersOf } from '../../limits/meters.ts'
import { periodAt } from '../../limits/period.ts'
import { type Budget, type Limits, NO_BUDGET, type Policy } from '../../limits/policy.ts'
import type { MeterState, SpentQuery } from '../../limits/ports.ts'
import { seedPolicy } from '../../limits/seed.ts'
import { type States, toBudgetSet, toLimitsSet, toSubject } from './policy-reply.ts'
import { organizationOf, type PathSubject, SUBJECT_PATHS, type SubjectPath } from './policy-subject.ts'

/** Counters are read by so many at once. */
const METERS_AT_ONCE = 256

/** `limits` and `budget` of organizations, teams, keys, users and tags, and `/organizations/{id}/policies`. */
export function registerLimits(scope: FastifyInstance, gateway: Gateway): void {
  for (const path of SUBJECT_PATHS) {
    registerLimitsOf(scope, gateway, path)
    registerBudgetOf(scope, gateway, path)
  }
  registerPolicies(scope, gateway)
}

function registerLimitsOf(
  scope: FastifyInstance,
  gateway: Gateway,
  { path, params, find }: SubjectPath,
): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const url = `${path}/limits`
  const tags = ['limits']

  app.get(url, { schema: { tags, params, response: { 200: limits } } }, async (request) =>
    showLimits(gateway, await read(gateway, await find(gateway, request.params))),
  )
  app.put(
    url,
    { schema: { tags, params, body: limitsChange, response: { 200: limits } } },
    async (request) => {
      const { organizationId, subject } = await find(gateway, request.params)
      const change = fromLimitsChange(request.body)
      const before = await gateway.policyStore.find(organizationId, subject)
      const policy = await gateway.policyStore.putLimits(organizationId, subject, change)
      await begin(gateway, policy, before)
      return showLimits(gateway, policy)
    },
  )
  app.delete(url, { schema: { tags, params, response: { 204: z.null() } } }, async (request, reply) => {
    await remove(gateway, await find(gateway, request.params), 'limits')
    return reply.status(204).send(null)
  })
}

function registerBudgetOf(
  scope: FastifyInstance,
  gateway: Gateway,
  { path, params, find }: SubjectPath,
): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  const url = `${path}/budget`
  const tags = ['budgets']

  app.get(url, { schema: { tags, params, response: { 200: budget } } }, async (request) =>
    showBudget(gateway, await read(gateway, await find(gateway, request.params))),
  )
  app.put(
    url,
    { schema: { tags, params, body: budgetChange, response: { 200: budget } } },
    async (request) => {
      const { organizationId, subject } = await find(gateway, request.params)
      const change = fromBudgetChange(request.body)
      const before = await gateway.policyStore.find(organizationId, subject)
      const policy = await gateway.policyStore.putBudget(organizationId, subject, change)
      await begin(gateway, policy, before)
      return showBudget(gateway, policy)
    },
  )
  app.delete(url, { schema: { tags, params, response: { 204: z.null() } } }, async (request, reply) => {
    await remove(gateway, await find(gateway, request.params), 'budget')
    return reply.status(204).send(null)
  })
}

/** Everything that is set in an organization. What users and tags spent is what the counters know of it. */
function registerPolicies(scope: FastifyInstance, gateway: Gateway): void {
  const app = scope.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/organizations/:id/policies',
    {
      schema: {
        tags: ['limits', 'budgets'],
        params: idParams,
        querystring: pageQuery,
        response: { 200: pageOf(policyReply) },
      },
    },
    async (request) => {
      const organizationId = await organizationOf(gateway, request.params.id)
      const { limit, cursor } = request.query
      const from = fromCursor(cursor)
      const all = await gateway.policyStore.list(organizationId)
      const page = all.slice(from, from + limit)
      const atMs = gateway.clock.now()
      const states = await readStates(gateway, organizationId, page, atMs)
      // The roll-up knows these; of users and tags every row of the ledger would have to be read, for each of them.
      const summed = page.filter(({ subject: { scope } }) => scope !== 'user' && scope !== 'tag')
      const booked = await bookedOf(gateway, organizationId, summed, atMs)
      const data = page.map((policy) => ({
        ...toSubject(policy),
        limits: policy.limits === undefined ? null : toLimitsSet(policy, states),
        budget:
          policy.budget === undefined
            ? null
            : toBudgetSet(policy, states, booked[summed.indexOf(policy)] ?? 0, atMs),
      }))
      return { data, nextCursor: from + limit < all.length ? String(from + limit) : null }
    },
  )
}

/** @throws GatewayError `invalid_request` */
function fromCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor)
  throw new GatewayError('invalid_request', { message: 'This is no cursor of ours.', param: 'cursor' })
}

async function read({ policyStore }: Gateway, { organizationId, subject }: PathSubject): Promise<Policy> {
  return (
    (await policyStore.find(organizationId, subject)) ?? {
      organizationId,
      subject,
      limits: undefined,
      budget: undefined,
    }
  )
}

/** In force here at once, elsewhere within a second; and what is new begins with what was spent already. */
async function begin(gateway: Gateway, policy: Policy, before: Policy | undefined): Promise<void> {
  gateway.book.put(policy)
  const { counters, spentStore: spent, clock } = gateway
  await seedPolicy(
    { counters, spent, flush: () => gateway.flushLedger(), now: () => clock.now() },
    policy,
    before,
  )
}

async function remove(gateway: Gateway, path: PathSubject, what: 'limits' | 'budget'): Promise<void> {
  await gateway.policyStore.remove(path.organizationId, path.subject, what)
  gateway.book.put(await read(gateway, path))
}

async function showLimits(gateway: Gateway, policy: Policy): Promise<LimitsReply> {
  const states = await readStates(gateway, policy.organizationId, [policy], gateway.clock.now())
  return { ...toSubject(policy), ...toLimitsSet(policy, states) }
}

async function showBudget(gateway: Gateway, policy: Policy): Promise<BudgetReply> {
  const atMs = gateway.clock.now()
  const states = await readStates(gateway, policy.organizationId, [policy], atMs)
  const [booked = 0] = await bookedOf(gateway, policy.organizationId, [policy], atMs)
  return { ...toSubject(policy), ...toBudgetSet(policy, states, booked, atMs) }
}

async function readStates(
  { counters }: Gateway,
  organizationId: string,
  policies: readonly Policy[],
  atMs: number,
): Promise<States> {
  const meters = policies.flatMap((policy) => metersOf(policy, atMs))
  const states = new Map<string, MeterState>()
  for (let start = 0; start < meters.length; start += METERS_AT_ONCE) {
    const some = await counters.read(organizationId, meters.slice(start, start + METERS_AT_ONCE))
    for (const state of some) states.set(state.id, state)
  }
  return states
}

/** @returns nano-dollars that the ledger has for each in the period that its budget is in; whoever asks has it written first */
async function bookedOf(
  gateway: Gateway,
  organizationId: string,
  policies: readonly Policy[],
  atMs: number,
): Promise<number[]> {
  await gateway.flushLedger()
  const queries = policies.map(({ subject, budget: set = NO_BUDGET }): SpentQuery => {
    const { startMs, endMs } = periodAt(set.period, atMs)
    return { subject, fromMs: startMs, toMs: endMs }
  })
  return (await gateway.spentStore.spent(organizationId, queries)).map(({ costNanoUsd }) => costNanoUsd)
}

function fromLimitsChange({ costPerDayUsd, ...rest }: LimitsChange): Partial<Limits> {
  return {
    ...named(rest),
    ...(costPerDayUsd === undefined ? {} : { costPerDayNanoUsd: toNano(costPerDayUsd) }),
  }
}

function fromBudgetChange({ monthlyLimitUsd, period, ...rest }: BudgetChange): Partial<Budget> {
  return {
    ...named(rest),
    ...(monthlyLimitUsd === undefined ? {} : { limitNanoUsd: toNano(monthlyLimitUsd) }),
    ...(period === undefined ? {} : { period: toPeriod(period) }),
  }
}

function toPeriod(period: NonNullable<BudgetChange['period']>): Budget['period'] {
  if (typeof period === 'string') return { kind: 'calendar', unit: period }
  return { kind: 'custom', startMs: Date.parse(period.start), endMs: Date.parse(period.end) }
}

function toNano(usd: number | string | null): number | null {
  if (usd === null) return null
  const nano = usdToNano(usd)
  if (nano === undefined) throw new Error('The schema lets no such amount pass.')
  return nano
}

type Named<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> }

/** @returns the fields that were named at all */
function named<Fields extends object>(fields: Fields): Named<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Named<Fields>
}
