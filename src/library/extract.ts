import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import type { Message } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Calls } from './calls.ts'
import type { Completion } from './completion.ts'
import { type CompletionRequest, textTurn } from './requests.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

export interface ExtractRequest<Value>
  extends Omit<CompletionRequest, 'responseFormat' | 'tools' | 'toolChoice'> {
  /** A zod schema, whose output type is the result's, or a JSON Schema. */
  readonly schema: z.ZodType<Value> | JsonSchema
  /** Name of the schema, for the model. */
  readonly name?: string
}

export interface Extraction<Value> {
  readonly value: Value
  /** The first answer did not fit the schema; the second did. */
  readonly repaired: boolean
  /** One, or two where the answer was repaired: each is a call that costs. */
  readonly completions: readonly Completion[]
}

interface Checked<Value> {
  readonly value?: Value
  /** What is wrong, for the model to mend. */
  readonly problem?: string
}

/**
 * Asks for a value of a schema. An answer that does not fit is shown to the model once, with what is wrong.
 *
 * @throws GatewayError `upstream_error` where the second answer does not fit either, `invalid_request` where the
 *   schema is none
 */
export async function extract<Value>(
  calls: Calls,
  request: ExtractRequest<Value>,
): Promise<Extraction<Value>> {
  const { schema, name = 'result', ...rest } = request
  const { json, check } = requireChecker(schema)
  const ask = (messages: CompletionRequest['messages']) =>
    calls.complete({ ...rest, messages, responseFormat: { type: 'json-schema', name, schema: json } })

  const first = await ask(rest.messages)
  const checked = check(first.text)
  if (checked.problem === undefined)
    return { value: checked.value as Value, repaired: false, completions: [first] }

  const second = await ask([
    ...toTurns(rest.messages),
    // Providers refuse a turn without text.
    ...(first.text === '' ? [] : [textTurn('assistant', first.text)]),
    textTurn('user', repair(checked.problem)),
  ])
  const again = check(second.text)
  if (again.problem === undefined)
    return { value: again.value as Value, repaired: true, completions: [first, second] }
  throw new GatewayError('upstream_error', {
    message: `The model did not answer in the form that was asked for: ${again.problem}`,
    detail: { requestIds: [first.requestId, second.requestId] },
  })
}

interface Checker<Value> {
  readonly json: JsonSchema
  readonly check: (text: string) => Checked<Value>
}

function requireChecker<Value>(schema: z.ZodType<Value> | JsonSchema): Checker<Value> {
  try {
    return toChecker(schema)
  } catch (error) {
    throw new GatewayError('invalid_request', {
      message: `The schema cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      param: 'schema',
      cause: error,
    })
  }
}

function toChecker<Value>(schema: z.ZodType<Value> | JsonSchema): Checker<Value> {
  if (schema instanceof z.ZodType) {
    const json = z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>
    return {
      json,
      check: (text) =>
        parse(text, (value) => {
          const result = schema.safeParse(value)
          return result.success ? { value: result.data } : { problem: z.prettifyError(result.error) }
        }),
    }
  }
  const validate = validatorOf(schema).compile<Value>(schema)
  return {
    json: schema,
    check: (text) =>
      parse(text, (value) => {
        if (validate(value)) return { value }
        const problems = validate.errors?.map(
          ({ instancePath, message }) => `${instancePath || 'the value'} ${message}`,
        )
        return { problem: problems?.join('; ') ?? 'it does not fit the schema' }
      }),
  }
}

/** Each edition of JSON Schema has a validator of its own; without a word about it, draft 7 is meant. */
function validatorOf({ $schema }: JsonSchema): Ajv {
  const options = { strict: false, allErrors: true }
  const edition = typeof $schema === 'string' ? $schema : ''
  if (edition.includes('/2020-12/')) return new Ajv2020(options)
  return edition.includes('/2019-09/') ? new Ajv2019(options) : new Ajv(options)
}

const FENCE = '```'

/** Models like to wrap JSON in a fence. By hand, because a pattern would take ages on one that is never closed. */
function withoutFence(text: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith(FENCE) || !trimmed.endsWith(FENCE)) return text
  return trimmed.slice(FENCE.length, -FENCE.length).replace(/^json\b/i, '')
}

function parse<Value>(text: string, check: (value: unknown) => Checked<Value>): Checked<Value> {
  let value: unknown
  try {
    value = JSON.parse(withoutFence(text))
  } catch {
    return { problem: 'it is not valid JSON' }
  }
  return check(value)
}

function toTurns(messages: CompletionRequest['messages']): readonly Message[] {
  return typeof messages === 'string' ? [textTurn('user', messages)] : messages
}

function repair(problem: string): string {
  return `Your answer does not fit the schema: ${problem}\nAnswer again with the corrected JSON and nothing else.`
}
