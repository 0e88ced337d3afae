import type { Task } from '../../contract/task.ts'

/** Tasks that words can tell; what no word tells is `chat`. */
export type ToldTask = Exclude<Task, 'chat'>

/**
 * Words by the task that they ask for, in lower case, in English, French, German and Spanish. Verbs that order a task
 * and its nouns alone: what merely appears in texts of that kind (`contract`, `error`) would tell about the subject and
 * not about the task.
 */
const WORDS: Readonly<Record<ToldTask, string>> = {
  translation:
    'translate translation translating traduis traduire traduisez traduction übersetze übersetzen übersetzung traduce traducir traducción',
  summarization:
    'summarize summarise summary summarizing tldr condense shorten recap résume résumer résumez résumé zusammenfassen zusammenfassung resume resumir resumen',
  classification:
    'classify classification categorize categorise category label labels sentiment classe classer classifie classifier catégorise klassifiziere klassifizieren kategorisiere clasifica clasificar',
  extraction:
    'extract extraction extracting parse list identify entities extrais extraire extrayez extrahiere extrahieren extrae extraer',
  validation:
    'validate validation verify check proofread correct confirm valide valider vérifie vérifier vérifiez prüfe prüfen überprüfe valida validar verifica verificar',
  analysis:
    'analyze analyse analysis analyzing compare comparison evaluate assess investigate explain why analyser analysez comparer analysiere analysieren vergleiche analiza analizar compara',
  synthesis:
    'synthesize synthesise synthesis combine merge draft compose write report essay article letter rédige rédiger rédigez synthèse schreibe verfasse entwirf redacta redactar escribe',
  code: 'code coding function refactor debug implement implementation compile algorithm script typescript javascript python java rust golang sql regex unittest bug stacktrace programme programmer fonction funktion programmiere código función programa',
}

export const TASK_OF_WORD: ReadonlyMap<string, ToldTask> = new Map(
  (Object.entries(WORDS) as [ToldTask, string][]).flatMap(([task, words]) =>
    words.split(' ').map((word) => [word, task] as const),
  ),
)

/** Verbs that order anything: `write` a letter or a function, `explain` a law or an error. What follows them tells. */
export const WEAK_WORDS: ReadonlySet<string> = new Set([
  'write',
  'list',
  'identify',
  'check',
  'correct',
  'confirm',
  'explain',
  'why',
  'combine',
  'parse',
  'label',
  'labels',
  'schreibe',
  'escribe',
])
