import { createAwsSecretsManagerResolver } from './aws-secrets-manager.ts'
import { createAzureKeyVaultResolver } from './azure-key-vault.ts'
import { createGcpSecretManagerResolver } from './gcp-secret-manager.ts'
import type { SecretResolver, SecretWorld } from './resolver.ts'
import { createVaultResolver } from './vault.ts'

/** @returns a resolver for every kind of reference that needs the network; nothing is asked before it is used */
export function createResolvers(world: SecretWorld): SecretResolver[] {
  return [
    createVaultResolver(world),
    createAzureKeyVaultResolver(world),
    createAwsSecretsManagerResolver(world),
    createGcpSecretManagerResolver(world),
  ]
}
