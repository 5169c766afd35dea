/** What the Matrix APIs that the bridge serves have in common: JSON, the standard error body, wrong methods. */
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from "express";
import type { Log } from "../ops/log.ts";

/** Answers with the standard error body (Client-Server API v1.15, "Standard error response"). */
export const refuse = (res: Response, status: number, errcode: string, error: string): void => {
  res.status(status).json({ errcode, error });
};

/** For all methods but those of an endpoint (Application Service API v1.15, "Unsupported methods"). */
export const only =
  (...methods: string[]): RequestHandler =>
  (_req, res) => {
    res.set("Allow", methods.join(", "));
    refuse(res, 405, "M_UNRECOGNIZED", `This endpoint takes ${methods.join(" or ")}.`);
  };

export const unknownEndpoint: RequestHandler = (_req, res) =>
  refuse(res, 404, "M_UNRECOGNIZED", "There is no such endpoint here.");

/** Reads the body as JSON whatever its content type says, up to a size such as "64mb". */
export const jsonBody = (limit: string): RequestHandler =>
  express.json({ limit, strict: false, type: () => true });

/** Turns whatever went wrong on a router into the standard error body. */
export const standardErrors =
  (log: Log): ErrorRequestHandler =>
  (error, req, res, next) => {
    if (res.headersSent) return next(error);
    if (error?.type === "entity.too.large")
      return refuse(res, 413, "M_TOO_LARGE", `The body exceeds ${error.limit} bytes.`);
    if (error?.type === "entity.parse.failed" || error?.type === "charset.unsupported") {
      return refuse(res, 400, "M_NOT_JSON", "The body is not JSON.");
    }
    if (error instanceof URIError)
      return refuse(res, 400, "M_INVALID_PARAM", "The path is not valid percent-encoding.");
    if (typeof error?.status === "number" && error.status < 500) {
      return refuse(res, error.status, "M_UNKNOWN", "The request could not be read.");
    }
    log.error("a request could not be answered", { path: req.path, error });
    refuse(res, 500, "M_UNKNOWN", "The bridge could not do this now; send it again.");
  };
