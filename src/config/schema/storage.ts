// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { z } from 'zod'
import { Secret } from '../../core/secret.ts'
import { isUrl, secretText } from './text.ts'

/** AES-256 takes a key of this size. */
const MASTER_KEY_BYTES = 32

export const storageSchema = z
  .strictObject({
    database: storeUrl(
      'embedded',
      ['postgres:', 'postgresql:'],
      '`embedded` (PGlite in `dataDir`) or the URL of a PostgreSQL ≥ 15. A change needs a restart.',
      'postgres://gatehouse:${env:PGPASSWORD}@db:5432/gatehouse',
    ),
    redis: storeUrl(
      'none',
      ['redis:', 'rediss:'],
      '`none` (state in the process, one replica only) or the URL of a Redis ≥ 7 (or Valkey). A change needs a restart.',
      'rediss://:${env:REDIS_PASSWORD}@redis:6379/0',
    ),
    redisCommandTimeoutMs: z
      .int()
      .min(10)
      .max(60_000)
      .default(250)
      .describe(
        'Longest wait of a call for the counters of limits and budgets in Redis. A change needs a restart.',
      ),
    redisRequired: z
      .boolean()
      .default(false)
      .describe(
        'Whether a start ends where Redis is away; otherwise it goes on, and calls need it once they are limited. A change needs a restart.',
      ),
    journal: z
      .enum(['file', 'redis'])
      .default('file')
      .describe(
        'Where usage waits until the database has it: in files in `dataDir`, or in `redis`, from where any replica brings it on. A change needs a restart.',
      ),
    journalBytesMax: z
      .int()
      .min(1024 ** 2)
      .max(1024 ** 4)
      .default(1024 ** 3)
      .describe(
        'Room of the journal, in bytes; new calls are refused with `storage_unavailable` where it is full. A plain call takes a thousand. A change needs a restart.',
      ),
    dataDir: z
      .string()
      .min(1)
      .default('./data')
      .describe('Folder of the embedded store and of the journal. A change needs a restart.'),
    masterKey: secretText(
      'Encrypts stored secrets and stored contents: 32 bytes in base64. A change needs a restart.',
      masterKeyFault,
    ).optional(),
  })
  .prefault({})
  .describe('Where state is kept.')

/** A URL may hold a password, so it is a secret; the word for "none of it" is not. */
function storeUrl<const Word extends string>(
  word: Word,
  protocols: readonly string[],
  description: string,
  example: string,
) {
  const expected = `must be \`${word}\` or a URL that begins with ${protocols.map((name) => `${name}//`).join(' or ')}`
  return z
    .string()
    .superRefine((text, context) => {
      if (text !== word && !isUrl(text, protocols)) context.addIssue({ code: 'custom', message: expected })
    })
    .transform((text): Word | Secret => (text === word ? word : new Secret(text)))
    .prefault(word)
    .meta({ description, examples: [word, example], writeOnly: true })
}

function masterKeyFault(text: string): string | undefined {
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text)
  const bytes = isBase64 ? Buffer.from(text, 'base64').length : 0
  if (bytes === MASTER_KEY_BYTES) return undefined
  return `must be ${MASTER_KEY_BYTES} bytes in base64; make one with: openssl rand -base64 ${MASTER_KEY_BYTES}`
}
