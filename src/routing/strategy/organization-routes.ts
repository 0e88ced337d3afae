import { GatewayError } from '../../core/errors.ts'
import { openMirror } from '../../core/mirror.ts'
import type { RouteStore, StoredRoute } from './ports.ts'
import type { RouteSettings } from './route-settings.ts'

/** A route of an organization that can be understood. */
export interface OrganizationRoute {
  readonly name: string
  readonly settings: RouteSettings
  readonly updatedAt: Date
}

/** The routes that organizations have of their own, in memory and kept fresh. */
export interface OrganizationRoutes {
  /** For every call. @returns by name; `undefined` where an organization has none */
  settingsOf(organizationId: string): ReadonlyMap<string, RouteSettings> | undefined
  /** @returns by name, in the order of the alphabet */
  list(organizationId: string): readonly OrganizationRoute[]
  find(organizationId: string, name: string): OrganizationRoute | undefined
  /**
   * In force here at once, elsewhere within a second.
   *
   * @throws GatewayError `conflict` where it has as many as it may have; `not_found`
   */
  put(organizationId: string, name: string, settings: RouteSettings): Promise<OrganizationRoute>
  /** @returns whether there was one */
  remove(organizationId: string, name: string): Promise<boolean>
  close(): Promise<void>
}

export interface OrganizationRoutesOptions {
  readonly store: RouteStore
  /** Reads what was stored. @throws where it is no route */
  readonly parse: (settings: unknown) => RouteSettings
  /** A route cannot be understood, or none could be read; what is known stays in force. */
  readonly onError: (error: unknown) => void
}

/** More names than a person can tell apart; a bound on what is held in memory. */
const ROUTES_MAX = 500

interface Own {
  readonly routes: ReadonlyMap<string, OrganizationRoute>
  /** The same, as calls look them up. */
  readonly settings: ReadonlyMap<string, RouteSettings>
}

/** Of all organizations. */
const ALL = ''

/**
 * Loads all routes and follows changes from then on.
 *
 * @throws GatewayError `storage_unavailable`
 */
export async function openOrganizationRoutes(
  options: OrganizationRoutesOptions,
): Promise<OrganizationRoutes> {
  const { store, parse, onError } = options
  let owners = new Map<string, Own>()
  let pending = new Set([ALL])
  let last: Promise<unknown> = Promise.resolve()

  function read({ name, settings, organizationId, updatedAt }: StoredRoute): OrganizationRoute[] {
    try {
      return [{ name, settings: parse(settings), updatedAt }]
    } catch (error) {
      const message = `The route "${name}" of the organization ${organizationId} cannot be understood.`
      onError(new Error(message, { cause: error }))
      return []
    }
  }

  /** @param organizationId of one alone; `ALL` */
  async function load(organizationId: string): Promise<void> {
    const rows: StoredRoute[] = []
    await store.load(organizationId === ALL ? undefined : organizationId, (page) => void rows.push(...page))
    const fresh = organizationId === ALL ? new Map<string, Own>() : owners
    if (organizationId !== ALL) fresh.delete(organizationId)
    for (const [owner, own] of Map.groupBy(rows, (row) => row.organizationId)) {
      const routes = new Map(own.flatMap(read).map((route) => [route.name, route]))
      const settings = new Map([...routes].map(([name, route]) => [name, route.settings]))
      if (routes.size > 0) fresh.set(owner, { routes, settings })
    }
    owners = fresh
  }

  /** One after the other, so that what was read earlier is never put over what was read later. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return done
  }

  async function loadPending(): Promise<void> {
    const changes = pending
    pending = new Set()
    try {
      for (const organizationId of changes.has(ALL) ? [ALL] : changes) await load(organizationId)
    } catch (error) {
      for (const change of changes) pending.add(change)
      throw error
    }
  }

  const mirror = await openMirror({
    load: () => inTurn(loadPending),
    watch: (onReload) =>
      store.watch((organizationId) => {
        pending.add(organizationId ?? ALL)
        onReload()
      }),
    onError,
  })

  return {
    settingsOf: (organizationId) => owners.get(organizationId)?.settings,
    list: (organizationId) => [...(owners.get(organizationId)?.routes.values() ?? [])],
    find: (organizationId, name) => owners.get(organizationId)?.routes.get(name),
    async put(organizationId, name, settings) {
      const own = owners.get(organizationId)?.routes
      if (own !== undefined && own.size >= ROUTES_MAX && !own.has(name)) {
        throw new GatewayError('conflict', {
          message: `An organization has ${ROUTES_MAX} routes of its own at most.`,
          param: 'name',
        })
      }
      const { updatedAt } = await store.put(organizationId, name, settings)
      await inTurn(() => load(organizationId))
      return { name, settings, updatedAt }
    },
    async remove(organizationId, name) {
      const removed = await store.remove(organizationId, name)
      await inTurn(() => load(organizationId))
      return removed
    },
    close: mirror.close,
  }
}
