import { Ajv } from 'ajv'
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
 * @throws GatewayError `upstream_error` where the second answer does not fit either
 */
export async function extract<Value>(
  calls: Calls,
  request: ExtractRequest<Value>,
): Promise<Extraction<Value>> {
  const { schema, name = 'result', ...rest } = request
  const { json, check } = toChecker(schema)
  const ask = (messages: CompletionRequest['messages']) =>
    calls.complete({ ...rest, messages, responseFormat: { type: 'json-schema', name, schema: json } })

  const first = await ask(rest.messages)
  const checked = check(first.text)
  if (checked.problem === undefined)
    return { value: checked.value as Value, repaired: false, completions: [first] }

  const second = await ask([
    ...toTurns(rest.messages),
    textTurn('assistant', first.text),
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

function toChecker<Value>(schema: z.ZodType<Value> | JsonSchema): {
  json: JsonSchema
  check: (text: string) => Checked<Value>
} {
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
  const validate = new Ajv({ strict: false, allErrors: true }).compile<Value>(schema)
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

/** Models like to wrap JSON in a fence. */
const FENCE = /^\s*```(?:json)?\s*([\s\S]*?)\s*```\s*$/

function parse<Value>(text: string, check: (value: unknown) => Checked<Value>): Checked<Value> {
  let value: unknown
  try {
    value = JSON.parse(FENCE.exec(text)?.[1] ?? text)
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
