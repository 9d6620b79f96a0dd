import { columnNames, type LogSchema } from "./log-schema.ts";
import { LINE_FEED } from "./parse-row.ts";
import type { LogSource, RowSource } from "./row-source.ts";
import { scanRows } from "./scan-rows.ts";

const TAB = 9;
/** A label of 0, as it stands before a row. */
const LABEL: readonly number[] = [48, TAB];

/** The rows of a log, with or without its label column, which the first line tells; without it all labels are 0. */
export function logRows(source: LogSource): RowSource {
  return { name: source.name, blocks: (schema, state) => scanRows(labelled(source, schema), schema, state) };
}

function labelled(source: LogSource, schema: LogSchema): LogSource {
  const columns = columnNames(schema).length;
  return {
    name: source.name,
    async *chunks() {
      let tabs = 0;
      let isKnown = false;
      const head: Uint8Array[] = [];
      let atStart = true;
      for await (const chunk of source.chunks()) {
        if (!isKnown) {
          const lineEnd = chunk.indexOf(LINE_FEED);
          for (const byte of lineEnd < 0 ? chunk : chunk.subarray(0, lineEnd)) if (byte === TAB) tabs++;
          isKnown = lineEnd >= 0;
          // A chunk holds until the next is asked for.
          head.push(chunk.slice());
          if (!isKnown) continue;
        } else head.push(chunk);
        for (const piece of head.splice(0)) {
          if (tabs !== columns - 2) yield piece;
          else {
            yield withLabels(piece, atStart);
            if (piece.length > 0) atStart = piece.at(-1) === LINE_FEED;
          }
        }
      }
      for (const piece of head) {
        yield tabs === columns - 2 ? withLabels(piece, atStart) : piece;
        atStart = false;
      }
    },
  };
}

/** Puts a label in front of each line that begins in some bytes. */
function withLabels(bytes: Uint8Array, atStart: boolean): Uint8Array {
  let lines = atStart && bytes.length > 0 ? 1 : 0;
  for (let i = 0; i < bytes.length - 1; i++) if (bytes[i] === LINE_FEED) lines++;
  const out = new Uint8Array(bytes.length + lines * LABEL.length);
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (i === 0 ? atStart : bytes[i - 1] === LINE_FEED) {
      out.set(LABEL, at);
      at += LABEL.length;
    }
    out[at++] = bytes[i];
  }
  return out;
}
