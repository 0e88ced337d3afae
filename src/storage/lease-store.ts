import type { LeaseStore } from '../alerts/ports.ts'
import type { Queryable } from './database.ts'

/** Leases in SQL, by the database's clock: those of the replicas may differ. */
export function createLeaseStore(database: Queryable): LeaseStore {
  return {
    async take(name, holder, leaseMs) {
      const { rows } = await database.query(
        `INSERT INTO leases (name, holder, until)
         VALUES ($1, $2, clock_timestamp() + $3::double precision * interval '1 millisecond')
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
           WHERE leases.holder = excluded.holder OR leases.until < clock_timestamp()
         RETURNING holder`,
        [name, holder, leaseMs],
      )
      return rows.length > 0
    },

    async release(name, holder) {
      await database.query('DELETE FROM leases WHERE name = $1 AND holder = $2', [name, holder])
    },
  }
}
