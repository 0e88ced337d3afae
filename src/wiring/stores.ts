import type { Config } from '../config/schema/config-schema.ts'
import { toBudget, toLimits } from '../limits/defaults.ts'
import { createAlertStore } from '../storage/alert-store.ts'
import { createBreakerStore } from '../storage/breaker-store.ts'
import type { Database } from '../storage/database.ts'
import { createIdentityStore } from '../storage/identity-store.ts'
import { createLeaseStore } from '../storage/lease-store.ts'
import { createLedgerStore } from '../storage/ledger-store.ts'
import { beginPolicies, createPolicyStore } from '../storage/policy-store.ts'
import { createPriceStore } from '../storage/price-store.ts'
import { createReconcileStore } from '../storage/reconcile-store.ts'
import { createResourceStore } from '../storage/resource-store.ts'
import { createRouteStore } from '../storage/route-store.ts'
import { createSpendStore } from '../storage/spend-store.ts'
import { createSpentStore } from '../storage/spent-store.ts'
import { createStatementStore } from '../storage/statement-store.ts'

/** What is kept in SQL, each behind the port of whoever needs it. */
export type Stores = ReturnType<typeof createStores>

/** @param configOf the configuration in force, whose limits and budget a new organization starts with */
export function createStores(database: Database, configOf: () => Config) {
  return {
    identity: createIdentityStore(database, (transaction, organizationId, isLimited) => {
      const { limits, budgets } = configOf()
      return beginPolicies(
        transaction,
        organizationId,
        isLimited ? toLimits(limits.default) : undefined,
        toBudget(budgets.default),
      )
    }),
    ledger: createLedgerStore(database),
    statements: createStatementStore(database),
    prices: createPriceStore(database),
    policies: createPolicyStore(database),
    spent: createSpentStore(database),
    reconciliation: createReconcileStore(database),
    alerts: createAlertStore(database),
    spend: createSpendStore(database),
    resources: createResourceStore(database),
    routes: createRouteStore(database),
    breakers: createBreakerStore(database),
    leases: createLeaseStore(database),
  }
}
