/** One page of a list, as every list of the control API answers. */
export interface Page<Row> {
  readonly data: readonly Row[]
  /** Opaque; `null` on the last page. */
  readonly nextCursor: string | null
}

export interface PageRequest {
  /** 1 to 1000. */
  readonly limit: number
  readonly cursor?: string | undefined
}
