/** The standard error of both Matrix APIs (Client-Server API v1.15, "Standard error response"). */
import { isObject, readString } from "./event.ts";

export class MatrixError extends Error {
  override readonly name = "MatrixError";
  readonly status: number;
  readonly errcode: string | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
  constructor(doing: string, status: number, body: unknown, retryAfter?: number) {
    const fields = isObject(body) ? body : {};
    const errcode = readString(fields, "errcode");
    super(`could not ${doing}: ${status} ${errcode ?? ""} ${readString(fields, "error") ?? ""}`.trimEnd());
    this.status = status;
    this.errcode = errcode;
    this.retryAfter = retryAfter;
  }
}
