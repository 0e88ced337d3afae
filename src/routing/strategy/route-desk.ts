import type { Resolver, RouteInForce } from '../resolve.ts'
import type { OrganizationRoutes } from './organization-routes.ts'
import type { Pace, TargetPace } from './pace.ts'

/** What people ask about routes, and change. */
export interface RouteDesk {
  /** Routes of organizations. */
  readonly own: OrganizationRoutes
  /** @returns the routes that an organization's calls find; those of the configuration alone where none is named */
  inForce(organizationId: string | undefined): readonly RouteInForce[]
  /** @param key as `targetKey` names a target */
  paceOf(key: string): TargetPace | undefined
  /** @returns names of the configured providers */
  providers(): readonly string[]
}

export interface RouteDeskOptions {
  readonly own: OrganizationRoutes
  readonly pace: Pace
  /** Of the configuration in force. */
  readonly resolver: () => Resolver
  readonly providers: () => Iterable<string>
}

export function createRouteDesk({ own, pace, resolver, providers }: RouteDeskOptions): RouteDesk {
  return {
    own,
    inForce: (organizationId) => resolver().routesFor(organizationId),
    paceOf: (key) => pace.of(key),
    providers: () => [...providers()],
  }
}
