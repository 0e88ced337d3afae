import { expect, it } from 'vitest'
import { runSimulator } from './command.ts'

it('runSimulator() serves until it is told to stop, and says where', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  let ready = () => {}
  const listening = new Promise<void>((resolve) => {
    ready = resolve
  })
  const print = (line: string) => {
    lines.push(line)
    if (line.includes('/sim/stats')) ready()
  }
  const running = runSimulator({ port: 0, host: '127.0.0.1', print, signal: stop.signal })
  await listening
  const url = /http:\/\/\S+/.exec(lines[0] ?? '')?.[0] ?? ''
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: '{"model":"fixed-20-5","messages":[{"role":"user","content":"hi"}]}',
  })
  expect(reply.status).toBe(200)
  stop.abort()
  await running
  expect(lines.at(-1)).toBe('Answered 1 calls: 20 tokens in, 5 tokens out.')
  await expect(fetch(url)).rejects.toThrow()
})

it('runSimulator() fails where the port is taken', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  let ready = () => {}
  const listening = new Promise<void>((resolve) => {
    ready = resolve
  })
  const print = (line: string) => {
    lines.push(line)
    ready()
  }
  const first = runSimulator({ port: 0, host: '127.0.0.1', print, signal: stop.signal })
  await listening
  const port = Number(/:(\d+)$/.exec(lines[0] ?? '')?.[1])
  await expect(runSimulator({ port, host: '127.0.0.1', print, signal: stop.signal })).rejects.toThrow(
    /EADDRINUSE/,
  )
  stop.abort()
  await first
})
