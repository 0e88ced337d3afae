import type { TestGateway } from '../support/gateway.ts'

/** What the provider saw and charged for. */
export interface Bill {
  readonly calls: number
  readonly tokensInput: number
  readonly tokensOutput: number
}

/** Takes turns with the provider's books: two pieces of work at once could not be told apart. */
export async function billed<Result>(
  { simulator }: Pick<TestGateway, 'simulator'>,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly bill: Bill }> {
  const before = simulator.stats()
  const result = await work()
  const after = simulator.stats()
  return {
    result,
    bill: {
      calls: after.calls - before.calls,
      tokensInput: after.tokensInput - before.tokensInput,
      tokensOutput: after.tokensOutput - before.tokensOutput,
    },
  }
}

/** @returns everything a stream brings */
export async function collect<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}
