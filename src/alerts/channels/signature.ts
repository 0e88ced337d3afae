import { createHmac, timingSafeEqual } from 'node:crypto'

export const SIGNATURE_HEADER = 'x-gatehouse-signature'

/**
 * @param atSeconds Unix time, signed too, so that a message that was seen once cannot be sent again for ever
 * @returns the value of the header: `t=1700000000,v1=…`, the hexadecimal HMAC-SHA-256 of `t.body`
 */
export function sign(body: string, secret: string, atSeconds: number): string {
  return `t=${atSeconds},v1=${macOf(body, secret, String(atSeconds)).toString('hex')}`
}

/** @returns whether the header was made with this secret for this body, at most `toleranceSeconds` from now */
export function isSigned(
  body: string,
  secret: string,
  header: string,
  nowSeconds: number,
  toleranceSeconds = 300,
): boolean {
  const [, at = '', mac = ''] = /^t=(\d{1,15}),v1=([0-9a-f]{64})$/.exec(header) ?? []
  if (at === '' || Math.abs(nowSeconds - Number(at)) > toleranceSeconds) return false
  return timingSafeEqual(Buffer.from(mac, 'hex'), macOf(body, secret, at))
}

function macOf(body: string, secret: string, at: string): Buffer {
  return createHmac('sha256', secret).update(`${at}.${body}`).digest()
}
