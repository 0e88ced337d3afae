import { z } from 'zod'
import { adminKeyWeakness } from '../admin-key.ts'
import { isAddressOrRange, secretText } from './text.ts'

export const serverSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .meta({ description: 'Address to listen on. A change needs a restart.', examples: ['0.0.0.0'] }),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(4000)
      .describe('Port to listen on; 0 takes any free one. A change needs a restart.'),
    enabled: z
      .boolean()
      .default(true)
      .describe('Master switch: false refuses every call of the data plane with `overloaded`.'),
    bodyBytesMax: z
      .int()
      .min(1024)
      .max(1_073_741_824)
      .default(20_971_520)
      .describe('Largest request body, in bytes; a larger one is refused with `request_too_large`.'),
    trustedProxies: z
      .array(z.string().refine(isAddressOrRange, 'must be an IP address or a range such as 10.0.0.0/8'))
      .default([])
      .meta({
        description: 'Addresses and ranges whose `x-forwarded-for` is believed.',
        examples: [['10.0.0.0/8']],
      }),
    drainSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(300)
      .describe('How long calls in flight may go on after SIGTERM.'),
    heartbeatSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(10)
      .describe('Silence on a stream after which a heartbeat is sent.'),
    adminKey: secretText(
      'Root key of the control API, 16 characters or more. Left out: made on the first start and printed once.',
      adminKeyWeakness,
    ).optional(),
  })
  .prefault({})
  .describe('The HTTP server.')
