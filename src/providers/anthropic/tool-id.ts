import { createHash } from 'node:crypto'

/** What the API takes for `tool_use.id` (its 400 quotes this pattern). */
const ALLOWED = /^[a-zA-Z0-9_-]+$/
const HASH_LENGTH = 12

/**
 * @returns the id itself where the API takes it, else one that stands for it: the same for the same id, so that a
 *   result still finds its call, and different for different ids
 */
export function toToolId(id: string): string {
  if (ALLOWED.test(id)) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, HASH_LENGTH)
  return `${id.replace(/[^a-zA-Z0-9_-]/g, '_')}_${hash}`
}
