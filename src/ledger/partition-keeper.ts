import type { LedgerStore } from './ports.ts'

const CHECK_MS = 6 * 3_600_000

/** Makes the ledger's partitions for the coming months, now and four times a day. */
export async function keepPartitions(
  store: Pick<LedgerStore, 'ensurePartitions'>,
  now: () => number,
  onError: (error: unknown) => void,
): Promise<{ close(): void }> {
  await store.ensurePartitions(new Date(now()))
  const timer = setInterval(() => void store.ensurePartitions(new Date(now())).catch(onError), CHECK_MS)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
