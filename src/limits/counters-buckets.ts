/** Items that fall due in the same second are one bucket. */
const BUCKET_MS = 1000

/**
 * Items by the moment at which they fall due, to the second: adding and taking away cost the same for ten items and
 * for a million, and there is no timer.
 */
export class TimeBuckets<Item> {
  private readonly buckets = new Map<number, Set<Item>>()
  /** The numbers of all buckets as a binary heap, the earliest first. */
  private readonly heap: number[] = []

  /** @param atMs `Infinity` = never due, and not kept */
  add(item: Item, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) return
    const number = bucketOf(atMs)
    let bucket = this.buckets.get(number)
    if (bucket === undefined) {
      bucket = new Set()
      this.buckets.set(number, bucket)
      push(this.heap, number)
    }
    bucket.add(item)
  }

  /** @param atMs what it was added with */
  delete(item: Item, atMs: number): void {
    // An empty bucket stays until its second is over: taking it out of the heap would cost a search.
    this.buckets.get(bucketOf(atMs))?.delete(item)
  }

  /** @returns at most `max` items of seconds that are over, removed; at the latest a second after they fell due */
  takeDue(nowMs: number, max: number): readonly Item[] {
    const earliest = this.heap[0]
    if (earliest === undefined || (earliest + 1) * BUCKET_MS > nowMs || max < 1) return []
    const due: Item[] = []
    for (
      let number = this.heap[0];
      number !== undefined && (number + 1) * BUCKET_MS <= nowMs;
      number = this.heap[0]
    ) {
      const bucket = this.buckets.get(number) ?? new Set<Item>()
      for (const item of bucket) {
        if (due.length === max) return due
        bucket.delete(item)
        due.push(item)
      }
      this.buckets.delete(number)
      pop(this.heap)
    }
    return due
  }
}

function bucketOf(atMs: number): number {
  return Math.floor(atMs / BUCKET_MS)
}

function push(heap: number[], value: number): void {
  let index = heap.length
  while (index > 0) {
    const above = (index - 1) >> 1
    const other = heap[above]
    if (other === undefined || other <= value) break
    heap[index] = other
    index = above
  }
  heap[index] = value
}

/** Takes the smallest away. */
function pop(heap: number[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    const left = 2 * index + 1
    const leftValue = heap[left]
    if (leftValue === undefined) break
    const rightValue = heap[left + 1]
    const right = rightValue !== undefined && rightValue < leftValue
    const smaller = right ? rightValue : leftValue
    if (smaller >= last) break
    heap[index] = smaller
    index = right ? left + 1 : left
  }
  heap[index] = last
}
