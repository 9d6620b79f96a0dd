// Writes the published JSON schema of `tt-rec train --config` from the settings that the command knows.
import { writeFileSync } from "node:fs";
import { configSchema } from "../packages/cli/dist/src/options/resolve-settings.js";

writeFileSync(new URL("../packages/cli/train.schema.json", import.meta.url), `${JSON.stringify(configSchema(), null, 2)}\n`);
