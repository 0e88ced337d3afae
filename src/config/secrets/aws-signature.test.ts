import { describe, expect, it } from 'vitest'
import { NOW_MS } from '../fixtures/store-server.ts'
import { signAwsRequest } from './aws-signature.ts'

/** Credentials and cases of Amazon's published test suite for signature version 4. */
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}
const REQUEST = {
  method: 'GET',
  url: new URL('https://example.amazonaws.com/'),
  headers: {},
  body: '',
  region: 'us-east-1',
  service: 'service',
}

describe('signAwsRequest', () => {
  it.each([
    ['GET', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['POST', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ])('signAwsRequest() makes the signature of the published case %s-vanilla', (method, signature) => {
    const headers = signAwsRequest({ ...REQUEST, method }, CREDENTIALS, NOW_MS)
    expect(headers).toEqual({
      'x-amz-date': '20150830T123600Z',
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    })
  })

  it('signAwsRequest() signs the session token, the body and every header', () => {
    const one = signAwsRequest(REQUEST, { ...CREDENTIALS, sessionToken: 'st' }, NOW_MS)
    expect(one['x-amz-security-token']).toBe('st')
    expect(one.authorization).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token')
    const signatures = [
      one,
      signAwsRequest({ ...REQUEST, body: 'x' }, CREDENTIALS, NOW_MS),
      signAwsRequest({ ...REQUEST, headers: { 'x-amz-target': 't' } }, CREDENTIALS, NOW_MS),
      signAwsRequest(REQUEST, CREDENTIALS, NOW_MS + 1000),
    ].map((headers) => headers.authorization?.slice(-64))
    expect(new Set(signatures).size).toBe(4)
  })
})
