import { Server } from 'node:net'

// Loaded before Portkey's gateway; changes nothing of what it does with a call.

// It can be told its port but not its address, and would listen on all of them.
const { listen } = Server.prototype
Server.prototype.listen = function listenOnLoopback(first, ...rest) {
  if (typeof first === 'object' && first !== null)
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest)
  const callback = rest.find((argument) => typeof argument === 'function')
  return listen.call(this, { port: first, host: '127.0.0.1' }, callback)
}

// With the version of @hono/node-server that npm installs for it today, version 1.15.2 answers every stream with 500
// ("TypeError: immutable"): it adds headers to a reply that still shares them with the upstream's. A copy of the
// headers is what earlier versions of that package made themselves. Seen November 2026.
const { fetch, Headers } = globalThis
globalThis.fetch = async (...request) => {
  const reply = await fetch(...request)
  if (reply.headers.get('content-type')?.startsWith('text/event-stream')) {
    Object.defineProperty(reply, 'headers', { value: new Headers(reply.headers) })
  }
  return reply
}
