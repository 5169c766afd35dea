/** What the Matrix APIs that the bridge serves have in common: JSON, the standard error body, wrong methods. */
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { BodyError, readBody } from "../http/body.ts";
import type { Log } from "../ops/log.ts";
import { isDeeperText, maxDepth } from "./json.ts";

/** Answers with the standard error body (Client-Server API v1.15, "Standard error response"). */
export const refuse = (res: Response, status: number, errcode: string, error: string): void => {
  res.status(status).json({ errcode, error });
};

/** For all methods but those of an endpoint (Application Service API v1.15, "Unsupported methods"). */
export const only =
  (...methods: string[]): RequestHandler =>
  (req, res) => {
    const head = methods.includes("GET") ? ["HEAD"] : [];
    res.set("Allow", [...methods, ...head, "OPTIONS"].join(", "));
    // RFC 9110 §9.3.7: what can be done here is no secret.
    if (req.method === "OPTIONS") return void res.status(200).json({});
    refuse(res, 405, "M_UNRECOGNIZED", `This endpoint takes ${methods.join(" or ")}.`);
  };

export const unknownEndpoint: RequestHandler = (_req, res) =>
  refuse(res, 404, "M_UNRECOGNIZED", "There is no such endpoint here.");

/** As `refuse`, where the source has to wait (Client-Server API v1.15, "Rate limiting"). */
export const refuseForNow = (
  res: Response,
  retryAfterMs: number,
  error = "There were too many requests from here.",
): void => {
  res.set("Retry-After", String(Math.ceil(retryAfterMs / 1000)));
  res.status(429).json({
    errcode: "M_LIMIT_EXCEEDED",
    error,
    retry_after_ms: Math.ceil(retryAfterMs),
  });
};

class JsonError extends Error {
  override readonly name = "JsonError";
  readonly errcode: string;
  constructor(errcode: string, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

/** Matrix knows no other encoding (Client-Server API v1.15, "API Standards"). */
const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw new JsonError("M_NOT_JSON", "The body is not JSON.");
  }
}

/**
 * Reads the body as JSON, whatever its content type says; without a body there is `undefined`.
 * @param limit in bytes.
 * @param depth how deep it may be nested.
 * @param total in bytes, for all bodies of the route that are under way: for routes that anyone may call.
 */
export const jsonBody = (
  limit: number,
  depth = maxDepth,
  total = Number.POSITIVE_INFINITY,
): RequestHandler => {
  const room = { left: total };
  return async (req, _res, next) => {
    const bytes = await readBody(req, limit, room);
    // Nesting costs the parser a hundred bytes for each of the body's.
    if (isDeeperText(depth, bytes))
      throw new JsonError("M_BAD_JSON", `The body is nested more than ${depth} deep.`);
    req.body = bytes.length === 0 ? undefined : parseJson(bytes);
    next();
  };
};

const bodyErrcodes = { 400: "M_NOT_JSON", 413: "M_TOO_LARGE", 415: "M_UNKNOWN", 503: "M_UNKNOWN" } as const;

/** Turns whatever went wrong on a router into the standard error body. */
export const standardErrors =
  (log: Log): ErrorRequestHandler =>
  (error, req, res, _next) => {
    if (res.headersSent) {
      log.error("an answer broke off", { path: req.path, error });
      return void res.destroy();
    }
    if (error instanceof BodyError)
      return refuse(res, error.status, bodyErrcodes[error.status], error.message);
    if (error instanceof JsonError) return refuse(res, 400, error.errcode, error.message);
    if (error instanceof URIError)
      return refuse(res, 400, "M_INVALID_PARAM", "The path is not valid percent-encoding.");
    if (typeof error?.status === "number" && error.status < 500) {
      return refuse(res, error.status, "M_UNKNOWN", "The request could not be read.");
    }
    log.error("a request could not be answered", { path: req.path, error });
    refuse(res, 500, "M_UNKNOWN", "The bridge could not do this now; send it again.");
  };
