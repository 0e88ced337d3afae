/** Keys whose value must not be shown, and values that look like one. References show nothing and stay. */
const AFTER_SECRET_KEY =
  /((?:key|token|secret|password|passwd|authorization|smtpurl|webhook)s?["']?\s*:\s*["']?(?:bearer\s+|basic\s+)?)(?!\$\{)([^\s"',{}[\]]{2,})/gi
const IN_URL = /(:\/\/[^\s:/@"']*:)(?!\$\{)([^\s@"']+)(?=@)/g
const IN_WEBHOOK = /(https?:\/\/[^\s"']*?(?:hooks|webhook)[^\s"'/]*\/)([^\s"']+)/gi
const TOKEN = /()(?<![\w{:/-])((?:sk|gh|pk|xox[a-z]|AIza|ghp|hvs|eyJ)[-_A-Za-z0-9.]{14,})/g

/**
 * @returns a line of configuration with anything that may be a secret turned into asterisks, as many as it had
 *   characters so that a caret below still points right. It guesses, because a mistyped key has no meaning yet
 */
export function maskSecrets(line: string): string {
  const hide = (_all: string, before: string, secret: string) => before + '*'.repeat(secret.length)
  return line
    .replace(AFTER_SECRET_KEY, hide)
    .replace(IN_URL, hide)
    .replace(IN_WEBHOOK, hide)
    .replace(TOKEN, hide)
}
