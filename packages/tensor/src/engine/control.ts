/**
 * The words that the threads of a runtime agree by, in a shared buffer of their own:
 *
 * | word        | what                                                                                     |
 * | ----------- | ---------------------------------------------------------------------------------------- |
 * | `EPOCH`     | counts calls; sleeping workers wait for it to change                                     |
 * | `OPEN`      | 1 while the list of tasks may be read                                                    |
 * | `NEXT`      | the next chunk that nobody has taken                                                     |
 * | `CHUNKS`    | number of chunks                                                                         |
 * | `TASKS`     | number of tasks                                                                          |
 * | `ACTIVE`    | workers that may be reading the list or running a kernel                                 |
 * | `SLEEPING`  | workers that wait for `EPOCH`, or are about to                                           |
 * | `LEAVE`     | counts requests to return to the event loop, where messages are served                  |
 * | `PARK`      | 1 asks idle workers to sleep at once instead of spinning first                          |
 * | `FAILED`    | 1 after a trap                                                                           |
 *
 * From `LIST` on, five words a task: kernel, args, units, grain, first chunk.
 */
export const EPOCH = 0;
export const OPEN = 16;
const NEXT = 32;
const CHUNKS = 48;
const TASKS = 49;
export const ACTIVE = 64;
export const SLEEPING = 80;
export const LEAVE = 96;
export const PARK = 97;
export const FAILED = 98;
const LIST = 112;
const TASK_WORDS = 5;

/** Most tasks of one call. */
export const MAX_TASKS = 4096;

/** Bytes of the control block. */
export const CONTROL_BYTES: number = 4 * (LIST + MAX_TASKS * TASK_WORDS);

/** Writes the list of tasks; nobody may be reading it. */
export function writeTasks(
  control: Int32Array,
  tasks: readonly { readonly kernel: number; readonly args: number; readonly units: number; readonly grain: number }[],
): void {
  let chunks = 0;
  for (const [i, { kernel, args, units, grain }] of tasks.entries()) {
    control.set([kernel, args, units, grain, chunks], LIST + i * TASK_WORDS);
    chunks += Math.ceil(units / grain);
  }
  control[TASKS] = tasks.length;
  control[CHUNKS] = chunks;
  Atomics.store(control, NEXT, 0);
}

/** Takes chunks and runs them until none is left. Chunks are taken in rising order, so the search for the task only moves on. */
export function drain(control: Int32Array, kernels: readonly ((args: number, begin: number, end: number) => void)[]): void {
  const [chunks, last] = [control[CHUNKS], control[TASKS] - 1];
  let task = 0;
  for (let chunk = Atomics.add(control, NEXT, 1); chunk < chunks; chunk = Atomics.add(control, NEXT, 1)) {
    while (task < last && control[LIST + (task + 1) * TASK_WORDS + 4] <= chunk) task++;
    const at = LIST + task * TASK_WORDS;
    const grain = control[at + 3];
    const begin = (chunk - control[at + 4]) * grain;
    kernels[control[at]](control[at + 1], begin, Math.min(begin + grain, control[at + 2]));
  }
}
