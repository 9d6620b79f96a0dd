export { logFile } from "./node/log-file.ts";
export { type PrepareFilesOptions, prepareFiles } from "./node/prepare-files.ts";
