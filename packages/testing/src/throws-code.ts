import type { ExecutionContext } from "ava";

/** Asserts that `body` throws an error of this code, whose sentence matches `message`. */
export function throwsCode(t: ExecutionContext, code: string, body: () => unknown, message: RegExp = /./): void {
  t.throws(body, { code, message });
}

/** As `throwsCode`, for a promise. */
export async function rejectsCode(
  t: ExecutionContext,
  code: string,
  promise: Promise<unknown>,
  message: RegExp = /./,
): Promise<void> {
  await t.throwsAsync(promise, { code, message });
}
