/** The child's side of the orders: answers one message with one, and ends when its parent is gone. */
export function answerOrders<Order>(answer: (order: Order) => unknown | Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0))
  // Ctrl-C reaches the whole group of processes; the parent ends us once it has cleaned up.
  process.on('SIGINT', () => undefined)
  process.on('message', async (message: { id: number; order: Order }) => {
    try {
      process.send?.({ id: message.id, answer: await answer(message.order) })
    } catch (error) {
      process.send?.({ id: message.id, error: error instanceof Error ? error.message : String(error) })
    }
  })
}

/** Tells the parent that this process is ready, and what it needs to know of it. */
export function announce(facts: Readonly<Record<string, unknown>>): void {
  process.send?.({ id: 0, answer: facts })
}
