/** One route of an organization, as it is stored. */
export interface StoredRoute {
  readonly organizationId: string
  readonly name: string
  /** As it was written: an older or newer build may have done it. */
  readonly settings: unknown
  readonly updatedAt: Date
}

/** What routes of organizations need of a store. All throw GatewayError `storage_unavailable`. */
export interface RouteStore {
  /**
   * Hands over what is stored, page by page.
   *
   * @param organizationId of one alone; `undefined` = of all
   */
  load(organizationId: string | undefined, onPage: (routes: readonly StoredRoute[]) => void): Promise<void>
  /** @throws GatewayError `not_found` where there is no such organization */
  put(organizationId: string, name: string, settings: object): Promise<StoredRoute>
  /** @returns whether there was one */
  remove(organizationId: string, name: string): Promise<boolean>
  /**
   * Calls back with the organization whose routes changed, wherever that was done; `undefined` = anybody's.
   *
   * @returns stops watching
   */
  watch(onChange: (organizationId: string | undefined) => void): Promise<() => Promise<void>>
}
