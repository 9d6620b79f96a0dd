const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** What the scan of a record leaves: where its fields lie in the bytes, or what was wrong. */
export class RecordFields {
  /** Number of fields. */
  count = 0;
  /** First byte of each field, without quotes. */
  starts: Int32Array = new Int32Array(64);
  /** Byte after the last of each field. */
  ends: Int32Array = new Int32Array(64);
  /** Fields with doubled quotes. */
  readonly doubled: number[] = [];
  /** Line feeds in the record, its own end included. */
  lines = 0;
  /** What is wrong with the record, if anything. */
  fault: string | undefined;

  /** Appends a field. */
  add(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = enlarged(this.starts);
      this.ends = enlarged(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}

function enlarged(values: Int32Array): Int32Array {
  const larger = new Int32Array(2 * values.length);
  larger.set(values);
  return larger;
}

/** Bytes that have a meaning; −1 for a quote means that there is none. */
export interface Dialect {
  readonly delimiter: number;
  readonly quote: number;
}

/**
 * Finds the fields of the record at `start` in bytes [start, end), by the rules of RFC 4180: a field may be enclosed in
 * quotes, in which delimiters and line ends are text and a quote is doubled; doubled quotes are made single in place.
 * Lines end with LF or CR LF. Returns the position after the record, or −1 if it is not complete; `last` says that nothing follows
 * `end`. A malformed record has a `fault` and ends with its line.
 */
export function scanRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  last: boolean,
  { delimiter, quote }: Dialect,
  fields: RecordFields,
): number {
  fields.count = 0;
  fields.doubled.length = 0;
  fields.lines = 0;
  fields.fault = undefined;
  let at = start;
  while (true) {
    let fieldEnd: number;
    if (at < end && bytes[at] === quote) {
      const close = closingQuote(bytes, at + 1, end, quote, fields);
      if (close < 0) {
        if (!last) return -1;
        fields.fault = "a quote is never closed";
        return end;
      }
      const after = close + 1;
      // The next byte decides what the quote meant.
      if (after === end && !last) return -1;
      if (after < end && bytes[after] !== delimiter && !endsLine(bytes, after, end)) {
        if (bytes[after] === CARRIAGE_RETURN && after + 1 === end && !last) return -1;
        fields.fault = "a closing quote is followed by other text";
        return lineAfter(bytes, after, end, last, fields);
      }
      fields.add(at + 1, close);
      fieldEnd = after;
    } else {
      fieldEnd = at;
      while (fieldEnd < end && bytes[fieldEnd] !== delimiter && bytes[fieldEnd] !== LINE_FEED) {
        if (bytes[fieldEnd] === quote) {
          fields.fault = "a quote is inside a field that does not start with one";
          return lineAfter(bytes, fieldEnd, end, last, fields);
        }
        fieldEnd++;
      }
      if (fieldEnd === end && !last) return -1;
      const lineEnd = fieldEnd === end || bytes[fieldEnd] === LINE_FEED;
      const cut = lineEnd && fieldEnd < end && fieldEnd > at && bytes[fieldEnd - 1] === CARRIAGE_RETURN ? 1 : 0;
      fields.add(at, fieldEnd - cut);
    }
    if (fieldEnd < end && bytes[fieldEnd] === delimiter) {
      at = fieldEnd + 1;
      continue;
    }
    fields.lines++;
    if (fieldEnd < end && bytes[fieldEnd] === CARRIAGE_RETURN) fieldEnd++;
    // Not before the record is complete: an incomplete one is scanned again.
    for (const field of fields.doubled) fields.ends[field] = undouble(bytes, fields.starts[field], fields.ends[field], quote);
    return Math.min(end, fieldEnd + 1);
  }
}

/** Position of the quote that closes a field, or −1. */
function closingQuote(bytes: Uint8Array, from: number, end: number, quote: number, fields: RecordFields): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === LINE_FEED) fields.lines++;
    if (bytes[at] !== quote) continue;
    if (at + 1 === end || bytes[at + 1] !== quote) return at;
    at++;
    if (fields.doubled.at(-1) !== fields.count) fields.doubled.push(fields.count);
  }
  return -1;
}

function endsLine(bytes: Uint8Array, at: number, end: number): boolean {
  return bytes[at] === LINE_FEED || (bytes[at] === CARRIAGE_RETURN && at + 1 < end && bytes[at + 1] === LINE_FEED);
}

/** Position after the line that holds `from`. */
function lineAfter(bytes: Uint8Array, from: number, end: number, last: boolean, fields: RecordFields): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] !== LINE_FEED) continue;
    fields.lines++;
    return at + 1;
  }
  return last ? end : -1;
}

/** Makes doubled quotes single; returns the end of what is left. */
function undouble(bytes: Uint8Array, from: number, to: number, quote: number): number {
  let goal = from;
  for (let at = from; at < to; at++) {
    bytes[goal++] = bytes[at];
    if (bytes[at] === quote) at++;
  }
  return goal;
}
