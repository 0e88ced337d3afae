import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { requestOf } from './batch-work.ts'
import type { BatchEstimate, ProviderObjects, Resource } from './ports.ts'

export interface BatchInputOptions {
  readonly objects: Pick<ProviderObjects, 'readLines' | 'readObject'>
  readonly file: Resource
  /** Gets the model of each request, to refuse it; `undefined` where every model is allowed. */
  readonly checkModel: ((model: string) => void) | undefined
  /** Adds up what the requests may cost; `undefined` where nobody has to know. */
  readonly estimate: BatchEstimate | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Beyond this much, or this long, the rest of a file is taken to be like its beginning. */
const MEASURED_BYTES_MAX = 64 * 1024 * 1024
const MEASURED_MS_MAX = 30_000

/**
 * Reads the input of a batch before it is made, once for all that has to be known of it. What a caller may not use is
 * looked for to the end of the file, however large it is.
 *
 * @returns what its requests may cost, in nano-dollars
 * @throws GatewayError what `checkModel` and `estimate` throw; `not_found` where the provider has no such file any more;
 *   `upstream_error` where it cannot be read
 */
export async function readBatchInput(options: BatchInputOptions): Promise<number> {
  try {
    return await read(options)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new GatewayError('not_found', {
      message: `The provider has no file \`${options.file.id}\` any more.`,
      param: 'input_file_id',
    })
  }
}

async function read(options: BatchInputOptions): Promise<number> {
  const { objects, file, checkModel, estimate, clock, signal } = options
  const startedMs = clock.monotonicMs()
  let bytes = 0
  let costNanoUsd: number | undefined
  for await (const line of objects.readLines(file.provider, file.id, signal)) {
    // One for the end of the line.
    bytes += Buffer.byteLength(line) + 1
    if (line.trim() === '') continue
    const body = requestOf(line)
    checkModel?.(typeof body?.model === 'string' ? body.model : '')
    if (estimate === undefined || costNanoUsd !== undefined || body === undefined) continue
    estimate.add(body)
    if (bytes < MEASURED_BYTES_MAX && clock.monotonicMs() - startedMs < MEASURED_MS_MAX) continue
    const whole = await sizeOf(options)
    costNanoUsd = extrapolate(estimate.costNanoUsd, bytes, whole)
    if (checkModel === undefined) break
  }
  return costNanoUsd ?? estimate?.costNanoUsd ?? 0
}

/** `FileObject.bytes` of the `openai` package, version 7. */
async function sizeOf({ objects, file, signal }: BatchInputOptions): Promise<number> {
  const object = await objects.readObject(file.provider, 'file', file.id, signal)
  const bytes = object?.bytes
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new GatewayError('upstream_error', {
    message:
      'The input file is too large to be read in whole, and its provider does not say how large it is.',
  })
}

function extrapolate(costNanoUsd: number, bytes: number, whole: number): number {
  return Math.min(Math.ceil(costNanoUsd * Math.max(1, whole / bytes)), Number.MAX_SAFE_INTEGER)
}

/** What a provider answers about a file that expired or was removed in another way. */
function isMissing(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'upstream_error' && error.detail?.status === 404
}
