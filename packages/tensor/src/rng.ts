import { randomNormal } from "d3-random";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import type { JumpableRandomGenerator } from "pure-rand/types/JumpableRandomGenerator";

/** A seeded source of random numbers; the same seed gives the same numbers on every machine. */
export interface Rng {
  /** Draws a uniform unsigned 32-bit integer. */
  uint32(): number;
  /** Draws a uniform number in [0, 1) with 53 random bits. */
  uniform(): number;
  /** Draws from the standard normal distribution. */
  normal(): number;
  /** Returns a generator 2^64 draws ahead of this one, whose numbers do not overlap with it; this one does not move. */
  jump(): Rng;
}

/** The finaliser of splitmix32: neighbouring seeds give unrelated states. */
function mix(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) | 0;
}

function wrap(generator: JumpableRandomGenerator): Rng {
  const uniform = (): number => uniformFloat64(generator);
  return {
    uint32: () => generator.next() >>> 0,
    uniform,
    normal: randomNormal.source(uniform)(),
    jump() {
      const ahead = generator.clone();
      ahead.jump();
      return wrap(ahead);
    },
  };
}

/**
 * Makes an xoroshiro128+ generator from a seed and a stream number.
 *
 * Only the low 32 bits of each count; different streams of one seed are independent.
 */
export function createRng(seed: number, stream = 0): Rng {
  const state: number[] = [1, 2, 3, 4].map((word) => mix(seed + Math.imul(word, 0x9e3779b9)) ^ mix(mix(stream) + word));
  // The all-zero state is the one fixed point of the generator.
  if (!state.some((word) => word !== 0)) state[0] = 1;
  return wrap(xoroshiro128plusFromState(state));
}
