import { z } from 'zod'
import { httpUrl, secretText, sensitiveText } from './text.ts'

export const telemetrySchema = z
  .strictObject({
    otlp: z
      .strictObject({
        endpoint: httpUrl('Collector that takes OTLP over HTTP.', 'http://127.0.0.1:4318'),
        headers: z
          .record(z.string().min(1), sensitiveText('Value of the header.'))
          .default({})
          .describe('Headers of every export; never shown.'),
        convention: z
          .enum(['genai', 'genai-latest', 'openinference', 'langfuse'])
          .default('genai')
          .describe('Names of the attributes that the receiving side expects.'),
      })
      .optional()
      .describe('Traces and metrics over OTLP. Left out: none are sent.'),
    prometheus: z
      .strictObject({
        token: secretText('Bearer token that `/metrics` asks for. Left out: it asks for none.').optional(),
      })
      .prefault({})
      .describe('The `/metrics` endpoint.'),
  })
  .prefault({})
  .describe('Metrics and traces.')
