import type { Operation } from '../../contract/operation.ts'
import type { Catalogue } from '../../providers/catalogue.ts'
import type { ChatTraits } from '../../providers/provider.ts'
import type { DialectName } from '../../providers/provider-kind.ts'
import type { Provider } from '../../providers/provider-set.ts'
import { type CapabilitySet, NO_CAPABILITIES, toSet } from './capabilities.ts'

/** What is known of a target without asking it. What is not known, it can do. */
export interface TargetFacts {
  /** Tokens of input and output together; `undefined` where nobody knows. */
  readonly contextTokens: number | undefined
  readonly lacks: CapabilitySet
  offers(operation: Operation): boolean
}

export const NOTHING_KNOWN: TargetFacts = {
  contextTokens: undefined,
  lacks: NO_CAPABILITIES,
  offers: () => true,
}

/** What no model behind a dialect takes: its requests have no place for it, and its mapper refuses it. */
const OF_DIALECT: Readonly<Record<DialectName, CapabilitySet>> = {
  compatible: NO_CAPABILITIES,
  anthropic: toSet('choices', 'audio'),
  gemini: NO_CAPABILITIES,
}

/** What a model cannot do that refuses a field. */
const OF_FIELD: ReadonlyMap<string, CapabilitySet> = new Map([
  ['n', toSet('choices')],
  ['tools', toSet('tools')],
  ['response_format', toSet('structured-output')],
  ['response_format.json_schema', toSet('structured-output')],
  ['reasoning_effort', toSet('reasoning')],
])

const REASONING = toSet('reasoning')

/** Every provider is asked in conversation; the other operations have paths of their own. */
const IN_CONVERSATION: ReadonlySet<Operation> = new Set(['chat', 'completion', 'token-count'])

/** @returns what the catalogue and the providers' kinds say of a target */
export function createTargetFacts(
  providers: ReadonlyMap<string, Provider>,
  catalogue: Pick<Catalogue, 'contextWindow'>,
): (provider: string, model: string) => TargetFacts {
  return (name, model) => {
    const provider = providers.get(name)
    if (provider === undefined) return NOTHING_KNOWN
    const { kind } = provider
    return {
      contextTokens: kind.pricesId === undefined ? undefined : catalogue.contextWindow(kind.pricesId, model),
      lacks: OF_DIALECT[kind.dialect] | lacksOf(kind.dialect, provider.traits(model)),
      offers: (operation) => IN_CONVERSATION.has(operation) || kind.endpoints[operation] !== undefined,
    }
  }
}

/** Traits beside the shared ones that say how a model is told to think. */
interface ThinkingTraits extends ChatTraits {
  readonly reasoningRequest?: string
  readonly thinking?: string | { readonly control: string }
}

function lacksOf(dialect: DialectName, traits: ThinkingTraits): CapabilitySet {
  let lacks = NO_CAPABILITIES
  for (const field of traits.refuses ?? []) lacks |= OF_FIELD.get(field) ?? NO_CAPABILITIES
  return thinks(dialect, traits) ? lacks : lacks | REASONING
}

function thinks(dialect: DialectName, { reasoningRequest, thinking }: ThinkingTraits): boolean {
  switch (dialect) {
    case 'compatible':
      return reasoningRequest !== 'none'
    case 'anthropic':
      return thinking !== undefined
    case 'gemini':
      return typeof thinking !== 'object' || thinking.control !== 'none'
  }
}
