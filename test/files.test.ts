import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway
let ours: OpenAI
let theirs: OpenAI

beforeAll(async () => {
  house = await startGateway({})
  const other = await house.newOrganization('other')
  ours = clientOf(house.key)
  theirs = clientOf(other.key)
})

afterAll(() => house?.close())

function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
}

async function uploadText(client: OpenAI, text: string, purpose: 'batch' | 'assistants' = 'batch') {
  return client.files.create({ file: await toFile(Buffer.from(text), 'input.jsonl'), purpose })
}

function line(id: string, model: string, content = 'one two three'): string {
  const body = { model, messages: [{ role: 'user', content }] }
  return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body })}\n`
}

async function batchOf(client: OpenAI, ...models: string[]) {
  const file = await uploadText(client, models.map((model, index) => line(`r${index}`, model)).join(''))
  return client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
}

/** @returns rows of the ledger that book the work of a batch */
async function batchRows(): Promise<{ id: string; cost_nano_usd: number; tokens: number; model: string }[]> {
  await house.ledger()
  const { rows } = await house.database.query<{
    id: string
    cost_nano_usd: string
    tokens: string
    model: string
  }>(
    `SELECT id, cost_nano_usd, tokens_input + tokens_output AS tokens, model FROM ledger
     WHERE operation = 'batch' AND NOT final ORDER BY created_at, id`,
  )
  return rows.map((row) => ({
    ...row,
    cost_nano_usd: Number(row.cost_nano_usd),
    tokens: Number(row.tokens),
  }))
}

const NOT_FOUND = expect.objectContaining({ status: 404, code: 'not_found' })

describe('files', () => {
  it('are made, read, listed and removed by their organization', async () => {
    const made = await uploadText(ours, 'hello')
    expect(made).toMatchObject({ object: 'file', bytes: 5, purpose: 'batch' })
    expect(await ours.files.retrieve(made.id)).toMatchObject({ id: made.id, filename: 'input.jsonl' })
    expect(await (await ours.files.content(made.id)).text()).toBe('hello')
    const listed = await ours.files.list()
    expect(listed.data.map(({ id }) => id)).toContain(made.id)
    expect(await ours.files.delete(made.id)).toMatchObject({ id: made.id, deleted: true })
    await expect(ours.files.retrieve(made.id)).rejects.toEqual(NOT_FOUND)
  })

  it('of another organization are not there: not read, not removed, not listed', async () => {
    const made = await uploadText(ours, 'secret')
    const before = house.simulator.stats().requests
    await expect(theirs.files.retrieve(made.id)).rejects.toEqual(NOT_FOUND)
    await expect(theirs.files.content(made.id)).rejects.toEqual(NOT_FOUND)
    await expect(theirs.files.delete(made.id)).rejects.toEqual(NOT_FOUND)
    expect((await theirs.files.list()).data).toEqual([])
    // The provider was not even asked.
    expect(house.simulator.stats().requests).toBe(before)
    expect(await (await ours.files.content(made.id)).text()).toBe('secret')
  })

  it('are booked, and cost nothing', async () => {
    await uploadText(ours, 'hello')
    const [row] = await house.ledger()
    expect(row).toMatchObject({
      operation: 'file',
      provider: 'openai',
      model: null,
      status: 200,
      costNanoUsd: 0,
      priceVersion: 'free',
      estimated: false,
    })
  })

  it('are listed in pages, the newest first, by purpose where asked', async () => {
    const { key } = await house.newOrganization('pages')
    const client = clientOf(key)
    const ids: string[] = []
    for (let i = 0; i < 12; i++)
      ids.unshift((await uploadText(client, `${i}`, i % 2 ? 'batch' : 'assistants')).id)
    const seen: string[] = []
    for await (const file of client.files.list({ limit: 5 })) seen.push(file.id)
    expect(seen).toEqual(ids)
    const first = await client.files.list({ limit: 12 })
    expect(first.has_more).toBe(false)
    const purpose = await client.files.list({ purpose: 'batch', limit: 3 })
    expect(purpose.data.map(({ id }) => id)).toEqual(ids.filter((_id, index) => index % 2 === 0).slice(0, 3))
    expect(purpose.has_more).toBe(true)
    const oldest = await client.files.list({ order: 'asc', limit: 1 })
    expect(oldest.data[0]?.id).toBe(ids.at(-1))
    await expect(client.files.list({ after: 'file-unknown' })).rejects.toMatchObject({ status: 400 })
  })

  it('of several providers need one to be named', async () => {
    const two = await startGateway({
      providers: (url) => ({
        first: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'test' },
        second: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'test' },
      }),
    })
    try {
      const client = new OpenAI({ apiKey: two.key, baseURL: `${two.url}/v1`, maxRetries: 0 })
      const file = await toFile(Buffer.from('x'), 'x')
      await expect(client.files.create({ file, purpose: 'batch' })).rejects.toMatchObject({
        status: 400,
        message: expect.stringContaining('x-gatehouse-provider'),
      })
      const headers = { 'x-gatehouse-provider': 'second' }
      const made = await client.files.create({ file, purpose: 'batch' }, { headers })
      // Where it lies is known from here on.
      expect(await client.files.retrieve(made.id)).toMatchObject({ id: made.id })
      await expect(
        client.files.retrieve(made.id, { headers: { 'x-gatehouse-provider': 'first' } }),
      ).rejects.toEqual(NOT_FOUND)
      await expect(
        client.files.create({ file, purpose: 'batch' }, { headers: { 'x-gatehouse-provider': 'third' } }),
      ).rejects.toMatchObject({ status: 400, code: 'unsupported_feature' })
    } finally {
      await two.close()
    }
  })

  it('need a form, and a provider that has files', async () => {
    const response = await fetch(`${house.url}/v1/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_request', param: 'file' } })
  })
})

describe('batches', () => {
  it('belong to the organization that made them', async () => {
    const batch = await batchOf(ours, 'gpt-4o-mini')
    expect(await ours.batches.retrieve(batch.id)).toMatchObject({ id: batch.id, status: 'completed' })
    expect((await ours.batches.list()).data.map(({ id }) => id)).toContain(batch.id)
    await expect(theirs.batches.retrieve(batch.id)).rejects.toEqual(NOT_FOUND)
    await expect(theirs.batches.cancel(batch.id)).rejects.toEqual(NOT_FOUND)
    expect((await theirs.batches.list()).data).toEqual([])
  })

  it('give their output to the same organization alone', async () => {
    const batch = await batchOf(ours, 'gpt-4o-mini')
    const output = batch.output_file_id ?? ''
    expect(await (await ours.files.content(output)).text()).toContain('"custom_id":"r0"')
    await expect(theirs.files.content(output)).rejects.toEqual(NOT_FOUND)
  })

  it('take only input of the same organization, also where the field stands twice', async () => {
    const file = await uploadText(ours, line('r0', 'gpt-4o-mini'))
    const own = await uploadText(theirs, line('r0', 'gpt-4o-mini'))
    const rest = { endpoint: '/v1/chat/completions', completion_window: '24h' } as const
    const before = house.simulator.stats().byPath['/v1/batches'] ?? 0
    await expect(theirs.batches.create({ input_file_id: file.id, ...rest })).rejects.toEqual(
      expect.objectContaining({ status: 404, param: 'input_file_id' }),
    )
    expect(house.simulator.stats().byPath['/v1/batches'] ?? 0).toBe(before)
    const response = await fetch(`${house.url}/v1/batches`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${theirs.apiKey}`,
        'content-type': 'application/json',
      },
      body: `{"input_file_id":"${file.id}","endpoint":"/v1/chat/completions","completion_window":"24h","input_file_id":"${own.id}"}`,
    })
    expect(await response.json()).toMatchObject({ input_file_id: own.id })
  })

  it('are booked once, at the price of the model, on the key that made them', async () => {
    const rowsBefore = await batchRows()
    const before = house.simulator.stats()
    const batch = await batchOf(ours, 'gpt-4o-mini', 'gpt-4o-mini')
    const after = house.simulator.stats()
    await ours.batches.retrieve(batch.id)
    await Promise.all([ours.batches.retrieve(batch.id), ours.batches.list()])
    const known = new Set(rowsBefore.map(({ id }) => id))
    const rows = (await batchRows()).filter(({ id }) => !known.has(id))
    const input = after.tokensInput - before.tokensInput
    const output = after.tokensOutput - before.tokensOutput
    expect(input).toBeGreaterThan(0)
    expect(rows).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8/),
        // 0.15 and 0.60 dollars a million.
        cost_nano_usd: input * 150 + output * 600,
        tokens: input + output,
        model: 'gpt-4o-mini',
      },
    ])
  })

  it('are booked once even where their mark was lost', async () => {
    const batch = await batchOf(ours, 'gpt-4o-mini')
    const rows = await batchRows()
    await house.database.query('UPDATE provider_resources SET settled_at = NULL WHERE id = $1', [batch.id])
    await ours.batches.retrieve(batch.id)
    expect(await batchRows()).toEqual(rows)
    const { rows: marks } = await house.database.query<{ settled_at: Date | null }>(
      'SELECT settled_at FROM provider_resources WHERE id = $1',
      [batch.id],
    )
    expect(marks[0]?.settled_at).toBeInstanceOf(Date)
  })

  it('of a key that may use some models may ask for no other', async () => {
    const { id } = await house.newOrganization('narrow')
    const { key } = await house.gateway.organizations.issueKey(id, {
      name: 'narrow',
      models: ['gpt-4o-mini'],
    })
    const client = clientOf(key)
    await expect(batchOf(client, 'gpt-4o-mini', 'gpt-4o')).rejects.toMatchObject({
      status: 403,
      code: 'model_not_allowed',
    })
    expect(await batchOf(client, 'gpt-4o-mini')).toMatchObject({ status: 'completed' })
  })
})

describe('batches of a provider that says their usage', () => {
  /** A provider that works until it is told to be done. */
  const batch: Record<string, unknown> = {
    id: 'batch_1',
    object: 'batch',
    endpoint: '/v1/chat/completions',
    status: 'in_progress',
  }
  const asked: string[] = []
  const provider = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const body = request.url === '/v1/files' ? { id: 'file-1', object: 'file' } : batch
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  let scripted: TestGateway

  beforeAll(async () => {
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
    const { port } = provider.address() as AddressInfo
    scripted = await startGateway({
      providers: { openai: { kind: 'openai', baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: 'test' } },
      config: {
        prices: {
          overrides: { 'openai/gpt-4o:batch': { inputPerMillionUsd: 1, outputPerMillionUsd: 5 } },
        },
      },
    })
  })

  afterAll(async () => {
    await scripted?.close()
    provider.close()
  })

  it('are booked when first seen over, by that usage and the price of batches', async () => {
    const client = new OpenAI({ apiKey: scripted.key, baseURL: `${scripted.url}/v1`, maxRetries: 0 })
    const file = await client.files.create({ file: await toFile(Buffer.from('{}'), 'x'), purpose: 'batch' })
    const made = await client.batches.create(
      { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' },
      { headers: { 'x-gatehouse-tags': 'deal=D-17' } },
    )
    await client.batches.retrieve(made.id)
    const open = await scripted.database.query('SELECT 1 FROM ledger WHERE NOT final')
    expect(open.count).toBe(0)

    Object.assign(batch, {
      status: 'completed',
      completed_at: 1_800_000_000,
      model: 'gpt-4o',
      output_file_id: 'file-2',
      usage: {
        input_tokens: 1000,
        input_tokens_details: { cached_tokens: 200 },
        output_tokens: 300,
        output_tokens_details: { reasoning_tokens: 100 },
        total_tokens: 1300,
      },
    })
    for (let i = 0; i < 3; i++) await client.batches.retrieve(made.id)
    const rows = (await scripted.ledger()).filter(({ operation }) => operation === 'batch')
    // The looks themselves used nothing.
    expect(rows.map(({ costNanoUsd, tokensInput }) => [costNanoUsd, tokensInput])).toEqual(
      rows.map(() => [0, 0]),
    )
    const creation = rows.find(({ tags }) => tags.deal === 'D-17')
    // The work is a request of its own, beside the call that made the batch.
    const booked = await scripted.gateway.ledgerStore.findRequest(`${creation?.requestId}.batch`)
    expect(booked).toEqual([
      expect.objectContaining({
        operation: 'batch',
        provider: 'openai',
        model: 'gpt-4o',
        tokensInput: 1000,
        tokensOutput: 300,
        tokensCached: 200,
        tokensReasoning: 100,
        // One dollar a million in, five out; what has no price of its own costs as its whole.
        costNanoUsd: 1000 * 1000 + 300 * 5000,
        keyId: creation?.keyId,
        tags: { deal: 'D-17' },
        estimated: false,
        final: false,
        // In the month in which it was made, whenever it ends.
        createdAt: creation?.createdAt,
        latencyMs: 1_800_000_000_000 - (creation?.createdAt.getTime() ?? 0),
      }),
    ])
    // The batch said it all: its output was not read for that.
    expect(asked.some((line) => line.includes('/file-2/content'))).toBe(false)
  })
})
