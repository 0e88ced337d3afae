import { GatewayError } from '../../../core/errors.ts'
import type { UnmappedField } from '../../chat.ts'

/** What only Google does, and what an answer would not be the same without. */
const ONLY_GOOGLE: readonly RegExp[] = [
  /^tools\[\d+\]\./,
  /^cached_?content$/i,
  /^continuation_?token$/i,
  /^generation_?config\.response_?(modalities|format|mime_?type)$/i,
  /^(content|contents\[\d+\]|requests\[\d+\]\.content)\.parts\[\d+\]/i,
  /^requests\[\d+\]\.output_?dimensionality$/i,
]

/**
 * To be asked before a Gemini request is written in another format: a request that goes to Google as it came
 * may hold all of this.
 *
 * @throws GatewayError `unsupported_feature` that names the first field whose loss would change the answer
 */
export function requireTranslatable(request: { readonly unmapped: readonly UnmappedField[] }): void {
  for (const { path } of request.unmapped) {
    if (!ONLY_GOOGLE.some((pattern) => pattern.test(path)) || isHint(path)) continue
    throw new GatewayError('unsupported_feature', {
      message: `The provider behind this model is not Google and has nothing like \`${path}\`.`,
      param: path,
    })
  }
}

/** Settings of a part that change how it is read, not what it is. */
function isHint(path: string): boolean {
  return (
    /\.(mime_?type|media_?resolution|media_?processing|part_?metadata|display_?name)$/i.test(path) &&
    !/^generation_?config\./i.test(path)
  )
}
