const SLOTS = 12

/** How many calls there were in the last while, and what they weigh: two sums over a ring of twelve slots. */
export class CallWindow {
  private readonly slotMs: number
  private readonly callsBySlot = new Int32Array(SLOTS)
  private readonly weightBySlot = new Int32Array(SLOTS)
  /** Number of the newest slot, counted from the clock's start. */
  private newest = 0
  private callSum = 0
  private weightSum = 0

  constructor(windowMs: number) {
    this.slotMs = windowMs / SLOTS
  }

  /** @param nowMs monotonic */
  add(weight: number, nowMs: number): void {
    this.advance(nowMs)
    const slot = this.newest % SLOTS
    this.callsBySlot[slot] = (this.callsBySlot[slot] ?? 0) + 1
    this.weightBySlot[slot] = (this.weightBySlot[slot] ?? 0) + weight
    this.callSum++
    this.weightSum += weight
  }

  calls(nowMs: number): number {
    this.advance(nowMs)
    return this.callSum
  }

  weight(nowMs: number): number {
    this.advance(nowMs)
    return this.weightSum
  }

  clear(): void {
    this.callsBySlot.fill(0)
    this.weightBySlot.fill(0)
    this.callSum = 0
    this.weightSum = 0
  }

  private advance(nowMs: number): void {
    const slot = Math.floor(nowMs / this.slotMs)
    if (slot <= this.newest) return
    if (slot - this.newest >= SLOTS) this.clear()
    else {
      for (let passed = this.newest + 1; passed <= slot; passed++) {
        const at = passed % SLOTS
        this.callSum -= this.callsBySlot[at] ?? 0
        this.weightSum -= this.weightBySlot[at] ?? 0
        this.callsBySlot[at] = 0
        this.weightBySlot[at] = 0
      }
    }
    this.newest = slot
  }
}
