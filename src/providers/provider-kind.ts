import type { ChatFormatName } from '../contract/chat.ts'
import type { ChatTraits, Operation } from './provider.ts'

/** Names of the dialects that a row can point at. */
export type DialectName = 'compatible' | 'anthropic' | 'gemini'

/** An operation, or a format of conversation that the provider itself speaks. */
export type Endpoint = Operation | ChatFormatName

/** Traits that hold for the models whose name matches, on top of those of the whole provider. */
export interface ModelTraits<Traits extends ChatTraits = ChatTraits> {
  readonly model: RegExp
  readonly traits: Traits
}

/**
 * One kind of provider as data: a configuration names it (`kind: groq`), and nothing else in the gateway asks
 * which provider it is talking to.
 */
export interface ProviderKind<Traits extends ChatTraits = ChatTraits> {
  /** What a configuration writes after `kind:`. */
  readonly name: string
  /** What people read. */
  readonly title: string
  readonly dialect: DialectName
  /** Formats of conversation whose bytes are forwarded as they are; each has a path in `endpoints`. */
  readonly formats: readonly ChatFormatName[]
  /** How the key is sent: `{ header: 'authorization', prefix: 'Bearer ' }`. */
  readonly auth: { readonly header: string; readonly prefix?: string }
  /** A local server without a key is normal: none is asked for. */
  readonly keyOptional?: boolean
  /** Headers of every call. */
  readonly staticHeaders?: Readonly<Record<string, string>>
  /** Without a slash at its end; absent where everyone has their own, so that a configuration has to name it. */
  readonly baseUrl?: string
  /** Environment variables that hold the key, the first that is set counts. */
  readonly envKeys: readonly string[]
  /** Environment variables that hold the base URL, the first that is set counts. */
  readonly envBaseUrls?: readonly string[]
  /** Path that follows a base URL which ends at its host: Azure hands out bare endpoints. */
  readonly basePath?: string
  /** `basePath` follows any base URL without a version at its end, as this provider's own clients have it. */
  readonly basePathAlways?: boolean
  /** Id of the provider in genai-prices: its prices, and the bare model names it is known to serve. */
  readonly pricesId?: string
  /** The price is known to be zero: a server of one's own. */
  readonly free?: boolean
  /** Known without any list: what the kind itself asks. */
  readonly listPrice?: { readonly inputPerMillionUsd: number; readonly outputPerMillionUsd: number }
  /** A model to show in a first request. */
  readonly exampleModel?: string
  /** Nobody is behind it: the built-in simulator. */
  readonly simulated?: boolean
  readonly traits: Traits
  /** Read in order; every row that matches is laid over `traits`. */
  readonly traitsByModel?: readonly ModelTraits<Traits>[]
  /**
   * Paths after the base URL, for what the provider serves. `{model}` stands for the model's name.
   * An operation that is absent is not offered by this provider.
   */
  readonly endpoints: Readonly<Partial<Record<Endpoint, string>>>
  /** Path of the list of models, where there is one. */
  readonly modelsPath?: string
}

/** @returns the traits of one model; lists of refused fields add up, any other trait of a later row replaces */
export function traitsOf<Traits extends ChatTraits>(kind: ProviderKind<Traits>, model: string): Traits {
  let traits = kind.traits
  for (const row of kind.traitsByModel ?? []) {
    if (!row.model.test(model)) continue
    const refuses = [...(traits.refuses ?? []), ...(row.traits.refuses ?? [])]
    traits = { ...traits, ...row.traits, ...(refuses.length === 0 ? {} : { refuses }) }
  }
  return traits
}
