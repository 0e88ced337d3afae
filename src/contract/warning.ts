/** Something asked for that the provider cannot do and that does not change the answer: sent as a header. */
export interface Warning {
  /** The field at fault, as its author would write it. */
  readonly param: string
  /** One sentence. */
  readonly message: string
}
