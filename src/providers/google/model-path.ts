import { GatewayError } from '../../core/errors.ts'

/**
 * @returns `/models/gemini-2.5-pro` for `gemini-2.5-pro` and `models/gemini-2.5-pro`; tuned models keep their folder
 * @throws GatewayError `invalid_request` where the name is empty
 */
export function modelPath(model: string): string {
  const tuned = model.startsWith('tunedModels/')
  const name = model.replace(/^(models|tunedModels)\//, '')
  if (name === '')
    throw new GatewayError('invalid_request', { message: 'No model is named.', param: 'model' })
  return `/${tuned ? 'tunedModels' : 'models'}/${encodeURIComponent(name)}`
}
