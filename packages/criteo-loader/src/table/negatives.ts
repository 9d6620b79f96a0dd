import { createRng, type Rng, TtError } from "@tt-rec/tensor";
import { IdTable } from "../learn/id-table.ts";
import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { IdColumn, RowBlock } from "../log/row-block.ts";
import type { RowSource } from "../log/row-source.ts";

/** How rows with label 0 are drawn for implicit data, in which every row tells what a user took. */
export interface NegativeOptions {
  /** Id column of the user. */
  readonly user: string;
  /** Id column of the item. */
  readonly item: string;
  /** Rows to draw behind each row of the log. */
  readonly perPositive: number;
  /** Seed of the draws, a uint32. */
  readonly seed: number;
}

/** Draws that may hit an item of the user before the items are tried one after the other. */
const PATIENCE = 64;

/**
 * Puts `perPositive` rows with label 0 behind each row of the sources: copies of it with another item, drawn uniformly from all
 * items of all sources that the user has in no row of them. The draws depend on the seed and the rows alone, so that all
 * that is trained on the log sees the same ones. The sources are read once before, and about 50 bytes are kept for each distinct
 * pair of user and item.
 *
 * Reading throws `E_OPTION` if a user has every item, and what the sources throw.
 */
export function withNegatives(sources: readonly RowSource[], options: NegativeOptions): RowSource[] {
  let known: Promise<KnownPairs> | undefined;
  const own = sources.map((source) => source.identity?.bind(source));
  // The draws depend on all sources.
  const identity = own.every((one) => one !== undefined)
    ? async (): Promise<string> => JSON.stringify([options, await Promise.all(own.map((one) => one()))])
    : undefined;
  return sources.map((source, number) => ({
    name: source.name,
    ...(identity && { identity }),
    async *blocks(schema, state) {
      known ??= learnPairs(sources, schema, options, state.maxBadRows);
      const sampler = new NegativeSampler(await known, createRng(options.seed, number), source.name);
      for await (const block of source.blocks(schema, state)) yield multiplied(block, schema, options, sampler);
    },
  }));
}

interface KnownPairs {
  readonly users: IdTable;
  readonly items: IdTable;
  /** Pairs of a user's and an item's number. */
  readonly pairs: IdTable;
  /** Number of items of each user. */
  readonly itemsOfUser: Uint32Array;
}

async function learnPairs(
  sources: readonly RowSource[],
  schema: LogSchema,
  { user, item }: NegativeOptions,
  maxBadRows: number,
): Promise<KnownPairs> {
  const kinds = idColumnKinds(schema);
  const [userColumn, itemColumn] = [schema.ids.indexOf(user), schema.ids.indexOf(item)];
  const [users, items] = [new IdTable(kinds[userColumn].words), new IdTable(kinds[itemColumn].words)];
  const pairs = new IdTable(2);
  const state = { maxBadRows, badRows: 0, lines: 0, bytes: 0 };
  for (const source of sources) {
    for await (const { rows, ids } of source.blocks(schema, state)) {
      const numbers = [users, items].map((table, role) => {
        const indices = new Int32Array(rows);
        table.learn(signed(ids[role === 0 ? userColumn : itemColumn].words), rows, indices);
        return indices;
      });
      const both = new Int32Array(2 * rows);
      for (let row = 0; row < rows; row++) [both[2 * row], both[2 * row + 1]] = [numbers[0][row], numbers[1][row]];
      pairs.learn(both, rows, new Int32Array(rows));
    }
  }
  const itemsOfUser = new Uint32Array(users.size + 1);
  const distinct = pairs.values();
  for (let pair = 0; pair < pairs.size; pair++) itemsOfUser[distinct[2 * pair]]++;
  return { users, items, pairs, itemsOfUser };
}

function signed(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length);
}

/** Draws items that a user has not. */
class NegativeSampler {
  readonly #known: KnownPairs;
  readonly #rng: Rng;
  readonly #source: string;
  readonly #pair = new Int32Array(2);
  readonly #found = new Int32Array(1);

  constructor(known: KnownPairs, rng: Rng, source: string) {
    this.#known = known;
    this.#rng = rng;
    this.#source = source;
  }

  /** Numbers of users, from their raw ids. */
  usersOf({ words }: IdColumn, rows: number): Int32Array {
    const numbers = new Int32Array(rows);
    this.#known.users.lookUp(signed(words), rows, numbers);
    return numbers;
  }

  /** Raw ids of items, by number. */
  get items(): Uint32Array {
    return this.#known.items.values();
  }

  /** Number of an item that the user has not. */
  draw(user: number): number {
    const { items, itemsOfUser } = this.#known;
    if (user === 0) throw new TtError("E_MISMATCH", `${this.#source} changed while it was read: it has a new user`);
    if (itemsOfUser[user] === items.size) {
      const reason = `negatives: a user has every one of the ${items.size} items, so that none is left to draw`;
      throw new TtError("E_OPTION", `${this.#source}: ${reason}`, { file: this.#source });
    }
    let item = 0;
    for (let tried = 0; tried < PATIENCE; tried++) {
      item = 1 + Math.floor(this.#rng.uniform() * items.size);
      if (!this.#has(user, item)) return item;
    }
    do item = (item % items.size) + 1;
    while (this.#has(user, item));
    return item;
  }

  #has(user: number, item: number): boolean {
    this.#pair[0] = user;
    this.#pair[1] = item;
    this.#known.pairs.lookUp(this.#pair, 1, this.#found);
    return this.#found[0] !== 0;
  }
}

/** A block with the negative rows behind each of its rows. */
function multiplied(block: RowBlock, schema: LogSchema, options: NegativeOptions, sampler: NegativeSampler): RowBlock {
  const times = 1 + options.perPositive;
  const rows = block.rows * times;
  const kinds = idColumnKinds(schema);
  const users = sampler.usersOf(block.ids[schema.ids.indexOf(options.user)], block.rows);
  const itemColumn = schema.ids.indexOf(options.item);
  const ids = block.ids.map((column, c) => repeatIds(column, kinds[c].words, block.rows, times));
  const labels = new Uint8Array(rows);
  const { words } = kinds[itemColumn];
  for (let row = 0; row < block.rows; row++) {
    labels[row * times] = block.labels[row];
    for (let copy = row * times + 1; copy < (row + 1) * times; copy++) {
      const from = (sampler.draw(users[row]) - 1) * words;
      ids[itemColumn].words.set(sampler.items.subarray(from, from + words), copy * words);
    }
  }
  return { rows, labels, dense: repeat(block.dense, denseWidth(schema), block.rows, times), ids };
}

function repeatIds({ words, offsets }: IdColumn, width: number, rows: number, times: number): IdColumn {
  if (offsets === undefined) return { words: repeat(words, width, rows, times) };
  const repeated = new Uint32Array(words.length * times);
  const starts = new Uint32Array(rows * times + 1);
  let place = 0;
  for (let row = 0; row < rows; row++) {
    const own = words.subarray(offsets[row] * width, offsets[row + 1] * width);
    for (let copy = row * times; copy < (row + 1) * times; copy++) {
      repeated.set(own, place * width);
      place += offsets[row + 1] - offsets[row];
      starts[copy + 1] = place;
    }
  }
  return { words: repeated, offsets: starts };
}

/** Each row of a row-major [rows, width] array, so many times. */
function repeat<T extends Uint32Array | Float32Array>(values: T, width: number, rows: number, times: number): T {
  const repeated = new (values.constructor as new (length: number) => T)(rows * width * times);
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    for (let copy = row * times; copy < (row + 1) * times; copy++) repeated.set(own, copy * width);
  }
  return repeated;
}
