/** Serves the homeserver's media to whoever has a link to it, streamed and never as anything that a browser would run. */
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { type NextFunction, type Request, type Response, Router } from "express";
import { createRateLimit } from "../http/rate-limit.ts";
import { sourceOf } from "../http/source.ts";
import { mediaTypeOf } from "../mapping/file-names.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { type MediaLinks, noSuchFile } from "./links.ts";
import { rangeOf, slice, upTo } from "./range.ts";
import type { MediaRepository } from "./repository.ts";
import { isPlain, lengthOf, SilenceError } from "./request.ts";

export interface MediaRoutesDeps {
  links: Pick<MediaLinks, "read">;
  repository: Pick<MediaRepository, "download">;
  maxBytes: number;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

const requestsPerMinute = 300;
const atOnceOfSource = 16;
const atOnce = 128;

/** Shown in place; everything else is for saving (Client-Server API v1.15 §11.7.7, without what is text). */
const shown: ReadonlySet<string> = new Set([
  "audio/aac",
  "audio/flac",
  "audio/mp4",
  "audio/mpeg",
  "audio/ogg",
  "audio/wav",
  "audio/wave",
  "audio/webm",
  "audio/x-flac",
  "audio/x-wav",
  "image/apng",
  "image/avif",
  "image/gif",
  "image/jpeg",
  "image/png",
  "image/webp",
  "video/mp4",
  "video/ogg",
  "video/quicktime",
  "video/webm",
]);

const safety = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "sandbox; default-src 'none'",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Referrer-Policy": "no-referrer",
};

const say = (res: Response, status: number, text: string): void => {
  res.status(status).set("Cache-Control", "no-store").type("text/plain").send(`${text}\n`);
};

function describe(res: Response, name: string, type = ""): void {
  res.attachment(name);
  const isShown = shown.has(type);
  const disposition = res.get("Content-Disposition") ?? "attachment";
  res.set("Content-Disposition", isShown ? disposition.replace(/^attachment/, "inline") : disposition);
  res.set("Content-Type", isShown ? type : "application/octet-stream");
}

function refuse(res: Response, error: unknown): void {
  const status = error instanceof MatrixError ? error.status : undefined;
  if (status === 404) say(res, 404, "There is no such file any more.");
  else if (status === 504 || error instanceof SilenceError)
    say(res, 504, "The homeserver took too long; try again later.");
  else say(res, 502, "The homeserver does not give this file now; try again later.");
}

export function mediaRoutes({ links, repository, maxBytes, now, log }: MediaRoutesDeps): Router {
  const limit = createRateLimit({ points: requestsPerMinute, seconds: 60 });
  const running = new Map<string, number>();
  let all = 0;

  const isBusy = (source: string, res: Response): boolean => {
    const count = running.get(source) ?? 0;
    if (count >= atOnceOfSource || all >= atOnce) return true;
    running.set(source, count + 1);
    all += 1;
    res.once("close", () => {
      all -= 1;
      const left = (running.get(source) ?? 1) - 1;
      if (left > 0) running.set(source, left);
      else running.delete(source);
    });
    return false;
  };

  const pass = async (req: Request, res: Response, answer: IncomingMessage): Promise<void> => {
    describe(res, String(req.params.name), mediaTypeOf(answer.headers["content-type"]));
    const length = lengthOf(answer);
    if (!isPlain(answer)) return say(res, 502, "The homeserver does not give this file as it is.");
    if ((length ?? 0) > maxBytes) return say(res, 502, "This file is larger than the bridge carries.");
    const range = length === undefined ? undefined : rangeOf(req.headers, length);
    if (range === "none") {
      res.set("Content-Range", `bytes */${length}`);
      return say(res, 416, "The file ends before that.");
    }
    if (length !== undefined) {
      const { start, end } = range ?? { start: 0, end: length - 1 };
      res.set({ "Accept-Ranges": "bytes", "Content-Length": String(end - start + 1) });
      if (range) res.status(206).set("Content-Range", `bytes ${start}-${end}/${length}`);
    }
    if (req.method === "HEAD") return void res.end();
    await pipeline(answer, (body) => (range ? slice(body, range) : upTo(body, maxBytes)), res);
  };

  /** @returns what a good link leads to; whoever has no good one, or asks for too much, is answered. */
  const admit = async (req: Request, res: Response) => {
    const source = sourceOf(req);
    const wait = await limit.take(source);
    if (wait !== undefined) {
      res.set("Retry-After", String(Math.ceil(wait / 1000)));
      return say(res, 429, "There were too many requests from here.");
    }
    const link = links.read(String(req.params.token), String(req.params.name));
    if (link.kind === "wrong") return say(res, 404, noSuchFile);
    if (link.kind === "expired") return say(res, 410, "This link has expired.");
    if (!isBusy(source, res)) return link;
    res.set("Retry-After", "5");
    return say(res, 429, "There are too many downloads at once.");
  };

  const serve = async (req: Request, res: Response): Promise<void> => {
    res.set(safety);
    const link = await admit(req, res);
    if (!link) return;
    const gone = new AbortController();
    res.once("close", () => gone.abort());
    try {
      const answer = await repository.download(link.mxc, gone.signal);
      const seconds = Math.floor((link.expiresAt - now()) / 1000);
      res.set("Cache-Control", `private, max-age=${Math.max(0, seconds)}, immutable`);
      await pass(req, res, answer);
    } catch (error) {
      if (gone.signal.aborted) return;
      log.warn("media could not be served", { mxc: link.mxc, error });
      if (res.headersSent) res.destroy();
      else refuse(res, error);
    }
  };

  const router = Router();
  router
    .route("/:token/:name")
    .get(serve)
    .all((_req, res) => say(res.set("Allow", "GET, HEAD"), 405, "Files can only be read here."));
  router.use((_req, res) => say(res, 404, noSuchFile));
  // A path that is no valid percent-encoding, and whatever else goes wrong before a link is read.
  router.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    const isTheirs = error instanceof URIError || (isStatus(error) && error.status < 500);
    if (!isTheirs) log.error("a request for media could not be answered", { error });
    say(res, isTheirs ? 404 : 500, isTheirs ? noSuchFile : "Try again later.");
  });
  return router;
}

const isStatus = (error: unknown): error is { status: number } =>
  typeof error === "object" && error !== null && "status" in error && typeof error.status === "number";
