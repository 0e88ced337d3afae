import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSimulator } from './server.ts'

const simulator = createSimulator()
let url: string

beforeAll(async () => {
  url = (await simulator.listen()).url
})
afterAll(() => simulator.close())

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const callArguments = { city: 'Rome' }

/** One conversation with everything in it that costs, as each format writes it. */
const CONVERSATION: Readonly<Record<string, object>> = {
  '/v1/chat/completions': {
    model: 'echo',
    messages: [
      { role: 'system', content: 'You are brief.' },
      { role: 'user', content: 'Weather in Rome?' },
      {
        role: 'assistant',
        content: 'Let me look.',
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'get_weather', arguments: '{"city": "Rome"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: '21 degrees' },
    ],
    tools: [{ type: 'function', function: { name: 'get_weather', description: 'Now', parameters: schema } }],
  },
  '/v1/responses': {
    model: 'echo',
    instructions: 'You are brief.',
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Weather in Rome?' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Let me look.' }] },
      { type: 'function_call', call_id: 'c1', name: 'get_weather', arguments: '{"city":"Rome"}' },
      { type: 'function_call_output', call_id: 'c1', output: '21 degrees' },
    ],
    tools: [{ type: 'function', name: 'get_weather', description: 'Now', parameters: schema, strict: true }],
  },
  '/v1/messages': {
    model: 'echo',
    max_tokens: 100,
    system: [{ type: 'text', text: 'You are brief.' }],
    messages: [
      { role: 'user', content: 'Weather in Rome?' },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Let me look.' },
          { type: 'tool_use', id: 'c1', name: 'get_weather', input: callArguments },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: '21 degrees' }] },
        ],
      },
    ],
    tools: [{ name: 'get_weather', description: 'Now', input_schema: schema }],
  },
  '/v1beta/models/echo:generateContent': {
    systemInstruction: { parts: [{ text: 'You are brief.' }] },
    contents: [
      { role: 'user', parts: [{ text: 'Weather in Rome?' }] },
      {
        role: 'model',
        parts: [{ text: 'Let me look.' }, { functionCall: { name: 'get_weather', args: callArguments } }],
      },
      {
        role: 'user',
        parts: [{ functionResponse: { name: 'get_weather', response: { result: '21 degrees' } } }],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'get_weather', description: 'Now', parameters: schema }] }],
  },
}

// By hand: texts 5 + 5 + 4, call 3 + 9, its result 3, tool 3 + 1 + 44; the answer 5 + 3.
it('one conversation costs the same in every format, and is answered alike', async () => {
  const charged: Record<string, number[]> = {}
  for (const [path, body] of Object.entries(CONVERSATION)) {
    const reply = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
    expect(await reply.text()).toContain('The tools say: 21 degrees')
    const last = (await (await fetch(`${url}/sim/last`)).json()) as {
      tokensInput: number
      tokensOutput: number
    }
    charged[path] = [last.tokensInput, last.tokensOutput]
  }
  const prices = new Set(Object.values(charged).map(String))
  expect(prices, JSON.stringify(charged)).toHaveLength(1)
  expect(Object.values(charged)[0]).toEqual([77, 8])
})
