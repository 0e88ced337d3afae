import type { Database } from '../../src/storage/database.ts'
import type { Served } from '../../test/money/served.ts'

/** What the books have of one organization. */
export interface LedgerView {
  readonly costNanoUsd: number
  /** Final rows of each call. */
  readonly rowsOf: ReadonlyMap<string, number>
  /** Nano-dollars by user and by tag: `user/ann`, `tag/deal=D-17`. */
  readonly costOf: ReadonlyMap<string, number>
}

interface Row {
  readonly request_id: string
  readonly user_id: string | null
  readonly tags: Readonly<Record<string, string>> | null
  readonly final: boolean
  readonly cost: string
}

/** Asks the database itself, which knows whether a call stands there twice. */
export async function readLedger(database: Database, organizationId: string): Promise<LedgerView> {
  const { rows } = await database.query<Row>(
    'SELECT request_id, user_id, tags, final, cost_nano_usd::text AS cost FROM ledger WHERE organization_id = $1',
    [organizationId],
  )
  const rowsOf = new Map<string, number>()
  const costOf = new Map<string, number>()
  let costNanoUsd = 0
  for (const { request_id, user_id, tags, final, cost } of rows) {
    if (final) rowsOf.set(request_id, (rowsOf.get(request_id) ?? 0) + 1)
    costNanoUsd += Number(cost)
    const names = Object.entries(tags ?? {}).map(([name, value]) => `tag/${name}=${value}`)
    if (user_id !== null) names.push(`user/${user_id}`)
    for (const name of names) costOf.set(name, (costOf.get(name) ?? 0) + Number(cost))
  }
  return { costNanoUsd, rowsOf, costOf }
}

const PAGE = 200
const PAGES_MAX = 100

interface Page {
  readonly data: readonly { readonly id: string }[]
  readonly nextCursor: string | null
}

/** The same where the database is inside the process that is measured: by its control API. */
export async function askLedger(served: Served, organizationId: string): Promise<LedgerView> {
  const rowsOf = new Map<string, number>()
  let cursor = ''
  for (let page = 0; page < PAGES_MAX; page++) {
    const path = `/requests?organizationId=${organizationId}&limit=${PAGE}${cursor}`
    const { data, nextCursor } = (await served.api('GET', path)) as Page
    for (const { id } of data) rowsOf.set(id, (rowsOf.get(id) ?? 0) + 1)
    if (nextCursor === null) break
    cursor = `&cursor=${encodeURIComponent(nextCursor)}`
  }
  const costOf = async (groupBy: string) => {
    const path = `/usage?organizationId=${organizationId}&groupBy=${groupBy}`
    const { data } = (await served.api('GET', path)) as { data: Record<string, string | number>[] }
    return data.map((row) => [row, Number(row.costNanoUsd)] as const)
  }
  const byUser = await costOf('user')
  const byTag = await costOf('tag:deal')
  return {
    costNanoUsd: byUser.reduce((sum, [, cost]) => sum + cost, 0),
    rowsOf,
    costOf: new Map([
      ...byUser.map(([row, cost]) => [`user/${row.user}`, cost] as const),
      ...byTag.map(([row, cost]) => [`tag/deal=${row.deal ?? row['tag:deal']}`, cost] as const),
    ]),
  }
}
