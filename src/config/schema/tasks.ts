import { z } from 'zod'
import { TASKS, type Task } from '../../contract/task.ts'
import { routeCacheSchema } from './cache.ts'

export type { Task }

const taskSchema = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Model for calls of this task that ask for `auto`: a route, `provider/model`, or a model name.',
      ),
    cache: routeCacheSchema.optional().describe("Takes the place of the route's `cache`."),
    compress: z.boolean().default(false).describe('Whether prompts of this task are compressed.'),
  })
  .describe('One task.')

const shape = Object.fromEntries(TASKS.map((task) => [task, taskSchema.optional()])) as Record<
  Task,
  z.ZodOptional<typeof taskSchema>
>

export const tasksSchema = z
  .strictObject(shape)
  .default({})
  .describe(`What each task of \`x-gatehouse-task\` means: ${TASKS.map((task) => `\`${task}\``).join(', ')}.`)
