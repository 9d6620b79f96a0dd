import { type ErrorCode, isTtError, type TtError } from "@tt-rec/tensor";
import type { ExecutionContext } from "ava";

/** Asserts that `body` throws a deliberate error of this code, whose sentence matches `message`. */
export function throwsCode(t: ExecutionContext, code: ErrorCode, body: () => unknown, message: RegExp = /./): void {
  checkCode(t, code, t.throws(body, { message }));
}

/** As `throwsCode`, for a promise. */
export async function rejectsCode(
  t: ExecutionContext,
  code: ErrorCode,
  promise: Promise<unknown>,
  message: RegExp = /./,
): Promise<void> {
  checkCode(t, code, await t.throwsAsync(promise, { message }));
}

function checkCode(t: ExecutionContext, code: ErrorCode, error: unknown): void {
  t.true(isTtError(error), `${error}`);
  t.is((error as TtError).code, code);
}
