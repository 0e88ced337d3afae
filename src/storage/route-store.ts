import { GatewayError } from '../core/errors.ts'
import type { Database } from './database.ts'
import { watchRoutes } from './route-watcher.ts'
import { sqlState } from './storage-error.ts'

const PAGE_ROWS = 1000
const FOREIGN_KEY_VIOLATION = '23503'

export interface StoredRoute {
  readonly organizationId: string
  readonly name: string
  /** As it was written. */
  readonly settings: unknown
  readonly updatedAt: Date
}

interface RouteRecord {
  readonly organization_id: string
  readonly name: string
  readonly settings: unknown
  readonly updated_at: Date
}

/**
 * Routes of organizations in SQL; what `routing/strategy/ports.ts` asks for. Every change is announced by a trigger, in
 * its own transaction.
 */
export function createRouteStore(database: Database) {
  return {
    /** @param organizationId of one alone; `undefined` = of all */
    async load(
      organizationId: string | undefined,
      onPage: (routes: readonly StoredRoute[]) => void,
    ): Promise<void> {
      // Nothing is named '', so the first page begins after it.
      for (let after: readonly [string, string] = [organizationId ?? '', '']; ; ) {
        const { rows } = await database.query<RouteRecord>(
          `SELECT organization_id, name, settings, updated_at FROM organization_routes
           WHERE (organization_id, name) > ($1::text, $2::text) AND ($3::text IS NULL OR organization_id = $3)
           ORDER BY organization_id, name LIMIT ${PAGE_ROWS}`,
          [...after, organizationId ?? null],
        )
        if (rows.length > 0) onPage(rows.map(fromRecord))
        const last = rows.at(-1)
        if (last === undefined || rows.length < PAGE_ROWS) return
        after = [last.organization_id, last.name]
      }
    },

    /** @throws GatewayError `not_found` where there is no such organization */
    async put(organizationId: string, name: string, settings: object): Promise<StoredRoute> {
      try {
        const { rows } = await database.query<RouteRecord>(
          `INSERT INTO organization_routes (organization_id, name, settings) VALUES ($1, $2, $3)
           ON CONFLICT (organization_id, name) DO UPDATE SET settings = excluded.settings
           RETURNING organization_id, name, settings, updated_at`,
          [organizationId, name, JSON.stringify(settings)],
        )
        const [row] = rows
        if (row === undefined) throw new Error('An INSERT returned no row.')
        return fromRecord(row)
      } catch (error) {
        if (sqlState(error) !== FOREIGN_KEY_VIOLATION) throw error
        throw new GatewayError('not_found', {
          message: `There is no organization \`${organizationId}\`.`,
          cause: error,
        })
      }
    },

    /** @returns whether there was one */
    async remove(organizationId: string, name: string): Promise<boolean> {
      const { count } = await database.query(
        'DELETE FROM organization_routes WHERE organization_id = $1 AND name = $2',
        [organizationId, name],
      )
      return count > 0
    },

    /**
     * Calls back with the organization whose routes changed, wherever that was done; `undefined` = anybody's.
     *
     * @returns stops watching
     */
    watch: (onChange: (organizationId: string | undefined) => void) => watchRoutes(database, onChange),
  }
}

function fromRecord({ organization_id, name, settings, updated_at }: RouteRecord): StoredRoute {
  return { organizationId: organization_id, name, settings, updatedAt: updated_at }
}
