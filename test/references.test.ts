import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})
afterAll(() => house.close())

async function respond(key: string, body: object) {
  const response = await fetch(`${house.url}/v1/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'openai/gpt-4o', ...body }),
  })
  return {
    status: response.status,
    body: (await response.json()) as { id?: string; error?: { code: string; param: string } },
  }
}

async function upload(key: string): Promise<string> {
  const form = new FormData()
  form.set('purpose', 'user_data')
  form.set('file', new Blob(['secret']), 'a.txt')
  const response = await fetch(`${house.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'x-gatehouse-provider': 'openai' },
    body: form,
  })
  return ((await response.json()) as { id: string }).id
}

function withFile(id: string) {
  return {
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_file', file_id: id },
          { type: 'input_text', text: 'hi' },
        ],
      },
    ],
  }
}

describe('what lies at a provider', () => {
  it('can be named freely by an only organization, and by its owner alone once there are two', async () => {
    const first = await respond(house.key, { input: 'hello' })
    expect((await respond(house.key, { input: 'more', previous_response_id: first.body.id })).status).toBe(
      200,
    )
    const file = await upload(house.key)

    const { key: other } = await house.newOrganization('other')
    const calls = house.simulator.stats().calls
    expect(await respond(other, { input: 'more', previous_response_id: first.body.id })).toMatchObject({
      status: 400,
      body: { error: { code: 'unsupported_feature', param: 'previous_response_id' } },
    })
    expect(await respond(other, withFile(file))).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    })
    expect(house.simulator.stats().calls, 'nothing was sent').toBe(calls)
    expect((await respond(house.key, withFile(file))).status).toBe(200)
    expect((await respond(other, { input: 'hello', previous_response_id: null })).status).toBe(200)
  })
})
