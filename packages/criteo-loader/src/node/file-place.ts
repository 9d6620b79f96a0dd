import { nodeDirectory } from "@tt-rec/tensor/node";
import type { TaskPlace } from "../prepare/tasks.ts";
import { fileScratch } from "./file-scratch.ts";
import { openRecipe } from "./open-recipe.ts";
import type { WorkerPlace } from "./worker-pool.ts";

/** The place of a run in the file system, as each of its threads sees it. */
export function filePlace({ folder, scratch }: WorkerPlace): TaskPlace {
  return { scratch: fileScratch(scratch), target: nodeDirectory(folder), aside: nodeDirectory(scratch), open: openRecipe };
}
