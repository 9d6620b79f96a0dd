/**
 * A bijection of 32-bit words that sends neighbours far apart: the finaliser of MurmurHash3. The result may be negative;
 * `>>> 0` makes it unsigned.
 */
export function mixBits(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
