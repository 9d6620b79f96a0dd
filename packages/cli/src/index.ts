export type { ConsoleStream, ConsoleStreams, TerminalFlag } from "./output/console-streams.ts";
export { runCommand } from "./run-command.ts";
