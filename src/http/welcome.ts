import type { FastifyInstance } from 'fastify'
import type { Gateway } from '../gateway.ts'

/** The page at `/`: what this is and a first request to copy. */
export function registerWelcome(app: FastifyInstance, gateway: Gateway): void {
  app.get('/', async (request, reply) => {
    const host = request.headers.host ?? '127.0.0.1'
    const model = gateway.models().example
    return reply
      .type('text/html; charset=utf-8')
      .send(page(escapeHtml(`${request.protocol}://${host}`), escapeHtml(model)))
  })
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function page(base: string, model: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif }
  body { max-width: 44rem; margin: 12vh auto; padding: 0 1.5rem }
  h1 { font-weight: 600; letter-spacing: -.02em; margin-bottom: .2rem }
  p.lead { margin-top: 0; opacity: .75 }
  pre { padding: 1rem 1.2rem; border-radius: .6rem; overflow-x: auto; background: color-mix(in srgb, currentColor 8%, transparent); font-size: .85rem }
  a { color: inherit; text-underline-offset: .2em }
  nav a { margin-right: 1.2rem }
</style>
<h1>Gatehouse</h1>
<p class="lead">The gate for your calls to language models is open.</p>
<pre>curl ${base}/v1/chat/completions \\
  -H "authorization: Bearer $GATEHOUSE_KEY" \\
  -H "content-type: application/json" \\
  -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'</pre>
<p>The key was printed when the gateway first started. Any OpenAI, Anthropic or Gemini client works by changing its base URL.</p>
<nav><a href="/docs">Control API</a><a href="/api/openapi.json">OpenAPI</a><a href="/readyz">Readiness</a></nav>
</html>`
}
