import { GatewayError } from '../core/errors.ts'

/** How commands name whom a limit or a budget is set on. */
export const SUBJECT_HELP =
  'an organization, or team:ID, key:ID, user:ORGANIZATION/NAME, tag:ORGANIZATION/name=value'

/**
 * @returns its path in the control API
 * @throws GatewayError `invalid_request`
 */
export function toSubjectPath(subject: string): string {
  const colon = subject.indexOf(':')
  const scope = colon < 0 ? 'organization' : subject.slice(0, colon)
  const rest = subject.slice(colon + 1)
  const slash = rest.indexOf('/')
  const [organization, name] = [rest.slice(0, Math.max(0, slash)), rest.slice(slash + 1)]
  const encode = encodeURIComponent
  switch (scope) {
    case 'organization':
    case 'org':
      if (rest !== '') return `/organizations/${encode(rest)}`
      break
    case 'team':
    case 'key':
      if (rest !== '') return `/${scope}s/${encode(rest)}`
      break
    case 'user':
      if (organization !== '' && name !== '') return `/users/${encode(organization)}/${encode(name)}`
      break
    case 'tag':
      if (organization !== '' && name.includes('=')) return `/tags/${encode(organization)}/${encode(name)}`
      break
  }
  throw new GatewayError('invalid_request', {
    message: `\`${subject}\` names nobody. Expected: ${SUBJECT_HELP}.`,
    param: 'subject',
  })
}
