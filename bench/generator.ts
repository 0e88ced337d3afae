import { loadClosed, loadPaced } from './load.ts'
import type { GeneratorOrder } from './orders.ts'
import { loadStreams } from './streams.ts'
import { announce, answerOrders } from './worker.ts'

/** The caller's side, in a process of its own: one for all measurements, so that it is as warm for each of them. */
if (import.meta.main) {
  answerOrders<GeneratorOrder>((order) => {
    switch (order.kind) {
      case 'closed':
        return loadClosed(order)
      case 'paced':
        return loadPaced(order)
      case 'streams':
        return loadStreams(order)
    }
  })
  announce({})
}
