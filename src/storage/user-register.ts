import type { LedgerRow } from '../ledger/ports.ts'
import { quoteArrayItem } from './array-literal.ts'
import type { Statement } from './database.ts'

interface User {
  readonly organizationId: string
  readonly id: string
}

/** Users remembered at most; beyond that all are forgotten, and each is written once more at its next call. */
const REMEMBERED_MAX = 50_000

const ADD_USERS: Statement = {
  name: 'add-users',
  text:
    'INSERT INTO users (organization_id, id) SELECT * FROM unnest($1::text[], $2::text[]) ' +
    'ON CONFLICT (organization_id, id) DO NOTHING',
}

/** Knows which end users the table has, so that a batch writes only the new ones. */
export function createUserRegister() {
  let known = new Set<string>()
  const toKey = (user: User) => `${user.organizationId}\0${user.id}`

  return {
    /** @returns users of these rows that may be missing in the table, in one order for all writers */
    unknownOf(rows: readonly LedgerRow[]): User[] {
      const unknown = new Map<string, User>()
      for (const { organizationId, userId } of rows) {
        if (userId === null) continue
        const user = { organizationId, id: userId }
        const key = toKey(user)
        if (!known.has(key)) unknown.set(key, user)
      }
      return [...unknown].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, user]) => user)
    },

    toStatement(users: readonly User[]): { statement: Statement; parameters: string[] } {
      const literal = (field: keyof User) => `{${users.map((user) => quoteArrayItem(user[field])).join(',')}}`
      return { statement: ADD_USERS, parameters: [literal('organizationId'), literal('id')] }
    },

    /** Call once the users are committed. */
    remember(users: readonly User[]): void {
      if (known.size + users.length > REMEMBERED_MAX) known = new Set()
      for (const user of users) known.add(toKey(user))
    },
  }
}
