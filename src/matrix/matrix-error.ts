/** The standard error of both Matrix APIs (Client-Server API v1.15, "Standard error response"). */
import { statusOfProxy } from "../mapping/errors.ts";
import { isObject, readString } from "./event.ts";

export class MatrixError extends Error {
  override readonly name = "MatrixError";
  /** 502 where a proxy in front of the homeserver has refused in its place. */
  readonly status: number;
  readonly isProxys: boolean;
  readonly errcode: string | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
  constructor(doing: string, status: number, body: unknown, retryAfter?: number) {
    const fields = isObject(body) ? body : {};
    const errcode = readString(fields, "errcode");
    // Every refusal of a homeserver has an errcode.
    const meant = errcode === undefined || status < 300 ? statusOfProxy(status) : status;
    const said = [
      status,
      errcode,
      readString(fields, "error"),
      meant !== status && "(no homeserver's answer)",
    ];
    super(`could not ${doing}: ${said.filter(Boolean).join(" ")}`);
    this.status = meant;
    this.isProxys = meant !== status;
    this.errcode = errcode;
    this.retryAfter = retryAfter;
  }
}
