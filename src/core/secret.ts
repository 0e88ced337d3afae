const HIDDEN = '[secret]'

/**
 * A text that refuses to print: as a string, as JSON, in a template, in `console.log` and in a structured clone it
 * is `[secret]` or nothing. Only `reveal()` gives it, so that a search for that word finds every use.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  /** What `console.log` and `util.inspect` show. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN
  }
}
