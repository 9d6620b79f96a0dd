export type { ConsoleStreams } from "./output/console-streams.ts";
export { runCommand } from "./run-command.ts";
