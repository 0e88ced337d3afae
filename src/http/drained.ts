import type { ServerResponse } from 'node:http'

// A reader that takes nothing for this long is as good as gone, and its call has to be settled.
const PATIENCE_MS = 300_000

/**
 * @returns once the caller has read what was written, or is gone. One that takes too long is let go: its connection is
 *   closed, as it is when the call's own time is up
 */
export function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) response.destroy()
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      response.off('drain', end)
      response.off('close', end)
      signal.removeEventListener('abort', letGo)
      resolve()
    }
    const letGo = () => {
      response.destroy()
      end()
    }
    const timer = setTimeout(letGo, PATIENCE_MS)
    response.on('drain', end)
    response.on('close', end)
    signal.addEventListener('abort', letGo)
  })
}
