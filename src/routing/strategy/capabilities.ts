/** What a call may need and a model may lack. */
export const CAPABILITIES = [
  'tools',
  'images',
  'audio',
  'files',
  'structured-output',
  'streaming',
  'choices',
  'reasoning',
] as const

export type Capability = (typeof CAPABILITIES)[number]

/** Several capabilities as one number, a bit each: comparing a call with a target is one operation. */
export type CapabilitySet = number

export const NO_CAPABILITIES: CapabilitySet = 0

const BITS = Object.fromEntries(CAPABILITIES.map((name, index) => [name, 1 << index])) as Readonly<
  Record<Capability, CapabilitySet>
>

export function toSet(...names: readonly Capability[]): CapabilitySet {
  return names.reduce((set, name) => set | BITS[name], NO_CAPABILITIES)
}

export function hasAny(set: CapabilitySet, others: CapabilitySet): boolean {
  return (set & others) !== 0
}

const WORDING: Readonly<Record<Capability, string>> = {
  tools: 'tools',
  images: 'pictures',
  audio: 'sound',
  files: 'files',
  'structured-output': 'structured output',
  streaming: 'streams',
  choices: 'several answers',
  reasoning: 'reasoning',
}

export function toNames(set: CapabilitySet): readonly Capability[] {
  return CAPABILITIES.filter((name) => hasAny(set, BITS[name]))
}

/** @returns `tools and pictures`, for people */
export function toWords(set: CapabilitySet): string {
  const words = toNames(set).map((name) => WORDING[name])
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
