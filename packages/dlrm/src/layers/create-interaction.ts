import type { Rng, Runtime } from "@tt-rec/tensor";
import type { InteractionConfig } from "../dlrm-config.ts";
import { Concatenation } from "./concatenation.ts";
import { CrossNetwork } from "./cross-network.ts";
import { DotInteraction } from "./dot-interaction.ts";
import type { Interaction, Vectors } from "./interaction.ts";

/** Makes the interaction that a configuration asks for. */
export function createInteraction(runtime: Runtime, config: InteractionConfig, vectors: Vectors, rng: Rng): Interaction {
  switch (config.kind) {
    case "dot":
      return new DotInteraction(runtime, vectors, config.self === true);
    case "cat":
      return new Concatenation(runtime, vectors);
    case "cross":
      return new CrossNetwork(runtime, vectors, config, rng);
  }
}
