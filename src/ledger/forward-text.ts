import type { Operation } from '../contract/operation.ts'

/** Fields whose text a model reads, by operation; of any other, everything counts. */
const READ: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  moderation: ['input'],
  rerank: ['query', 'documents'],
  image: ['prompt'],
  speech: ['input', 'instructions'],
  completion: ['prompt', 'suffix'],
}

/** Nothing nests deeper in a request that a provider accepted. */
const DEPTH_MAX = 8

/** @returns the text of a forwarded request that a model reads, for counting; pictures in it are left out */
export function textOfForward(
  operation: Operation,
  json: Readonly<Record<string, unknown>> | undefined,
): string {
  if (json === undefined) return ''
  const fields = READ[operation]
  if (fields === undefined) return JSON.stringify(json)
  const texts: string[] = []
  for (const field of fields) collect(json[field], texts, DEPTH_MAX)
  return texts.join(' ')
}

function collect(value: unknown, texts: string[], depth: number): void {
  if (typeof value === 'string') {
    if (!value.startsWith('data:')) texts.push(value)
  } else if (typeof value === 'number') {
    // The id of a token.
    texts.push('x')
  } else if (typeof value === 'object' && value !== null && depth > 0) {
    for (const inner of Object.values(value)) collect(inner, texts, depth - 1)
  }
}
