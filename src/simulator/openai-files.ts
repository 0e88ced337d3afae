/** OpenAI files and batches. Shapes: `FileObject` and `Batch` of the `openai` package, version 7. */

import type { Call } from './call.ts'
import { SimulatedError } from './error-shapes.ts'
import type { Shelved } from './file-shelf.ts'
import { isObject, type JsonObject, toObject, toText } from './json.ts'
import { readForm } from './openai-media.ts'
import { FREE, jsonReply, type SimulatedReply } from './reply.ts'

const LINES_MAX = 10_000

/** `Batch.endpoint`. Batches of batches are none of them. */
const BATCH_ENDPOINTS: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/embeddings',
  '/v1/completions',
  '/v1/moderations',
  '/v1/images/generations',
])

export async function answerFiles(call: Call): Promise<SimulatedReply> {
  const [, , id, part] = call.path.split('/')
  if (id === undefined) {
    if (call.method === 'POST') return jsonReply(await storeUpload(call))
    const data = call.files.list('file').map((item) => item.info)
    return jsonReply({ object: 'list', data, has_more: false })
  }
  const stored = take(call, id, 'file')
  if (call.method === 'DELETE') {
    call.files.remove(id)
    return jsonReply({ id, object: 'file', deleted: true })
  }
  if (part !== 'content') return jsonReply(stored.info)
  const body = stored.bytes ?? Buffer.alloc(0)
  return { kind: 'body', status: 200, contentType: 'application/octet-stream', body, bill: FREE }
}

async function storeUpload(call: Call): Promise<JsonObject> {
  const form = await readForm(call)
  const file = form.get('file')
  if (!(file instanceof File)) {
    throw new SimulatedError(400, "Missing required parameter: 'file'.", 'missing_required_parameter', 'file')
  }
  return store(call, file.name, String(form.get('purpose') ?? ''), Buffer.from(await file.arrayBuffer()))
}

function store(call: Call, filename: string, purpose: string, bytes: Buffer): JsonObject & { id: string } {
  const info = {
    id: call.newId('file-'),
    object: 'file',
    bytes: bytes.length,
    created_at: call.nowSeconds,
    filename,
    purpose,
    status: 'processed',
  }
  call.files.put({ info, bytes })
  return info
}

function take(call: Call, id: string, object: string): Shelved {
  const item = call.files.get(id)
  if (item === undefined || item.info.object !== object) {
    throw new SimulatedError(404, `No such ${object}: ${id}`, undefined, 'id')
  }
  return item
}

/** A batch is worked off before its creation is answered: nobody has to wait for a simulator. */
export async function answerBatches(call: Call): Promise<SimulatedReply> {
  const [, , id, action] = call.path.split('/')
  if (id === undefined) {
    if (call.method === 'POST') return jsonReply(await runBatch(call))
    const data = call.files.list('batch').map((item) => item.info)
    return jsonReply({
      object: 'list',
      data,
      first_id: data[0]?.id,
      last_id: data.at(-1)?.id,
      has_more: false,
    })
  }
  const { info } = take(call, id, 'batch')
  if (action === 'cancel' && info.status === 'completed') {
    throw new SimulatedError(409, `Cannot cancel a batch with status 'completed'.`)
  }
  return jsonReply(info)
}

async function runBatch(call: Call): Promise<JsonObject> {
  const { body } = call
  const inputId = toText(body.input_file_id)
  const endpoint = toText(body.endpoint)
  if (!BATCH_ENDPOINTS.has(endpoint)) {
    throw new SimulatedError(400, `Invalid value: '${endpoint}'.`, 'invalid_value', 'endpoint')
  }
  const lines = (take(call, inputId, 'file').bytes ?? Buffer.alloc(0))
    .toString('utf8')
    .split('\n')
    .filter(Boolean)
  if (lines.length > LINES_MAX) throw new SimulatedError(400, `A batch has at most ${LINES_MAX} lines here.`)
  const outcomes = { good: [] as string[], bad: [] as string[] }
  for (const line of lines) await runLine(call, line, endpoint, outcomes)
  const output = store(call, 'output.jsonl', 'batch_output', Buffer.from(outcomes.good.join('')))
  const errors =
    outcomes.bad.length === 0
      ? undefined
      : store(call, 'errors.jsonl', 'batch_output', Buffer.from(outcomes.bad.join('')))
  const info = {
    id: call.newId('batch_'),
    object: 'batch',
    endpoint,
    errors: null,
    input_file_id: inputId,
    completion_window: toText(body.completion_window),
    status: 'completed',
    output_file_id: output.id,
    error_file_id: errors?.id ?? null,
    created_at: call.nowSeconds,
    in_progress_at: call.nowSeconds,
    expires_at: call.nowSeconds + 86_400,
    finalizing_at: call.nowSeconds,
    completed_at: call.nowSeconds,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: lines.length, completed: outcomes.good.length, failed: outcomes.bad.length },
    metadata: body.metadata ?? null,
  }
  call.files.put({ info })
  return info
}

async function runLine(
  call: Call,
  line: string,
  endpoint: string,
  outcomes: { good: string[]; bad: string[] },
): Promise<void> {
  const request = parseLine(line)
  if (request.url !== endpoint) {
    throw new SimulatedError(400, `A line of the batch is not for ${endpoint}.`, 'mismatched_endpoint', 'url')
  }
  const reply = await call.answer(endpoint, { ...toObject(request.body), stream: false })
  if (reply.kind === 'stream') throw new SimulatedError(500, 'A line of a batch was answered with a stream.')
  const text = reply.body.toString()
  const id = call.newId('batch_req_')
  const head = `{"id":"${id}","custom_id":${JSON.stringify(request.custom_id ?? null)}`
  const tail = `"response":{"status_code":${reply.status},"request_id":"${id}","body":${text}},"error":null}\n`
  const into = reply.status === 200 ? outcomes.good : outcomes.bad
  into.push(`${head},${tail}`)
}

function parseLine(line: string): JsonObject {
  try {
    const value: unknown = JSON.parse(line)
    if (isObject(value)) return value
  } catch {
    // Told below, together with lines that are JSON but no object.
  }
  throw new SimulatedError(400, 'This line is not parseable as valid JSON.', 'invalid_json_line')
}
