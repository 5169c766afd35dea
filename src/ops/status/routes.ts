/** `GET /status`, its JSON, and its buttons, on the admin listener. */
import { readFileSync } from "node:fs";
import { type ErrorRequestHandler, type Request, type Response, Router } from "express";
import type { BridgeOverview } from "../../bridge/overview.ts";
import { BodyError, readBody } from "../../http/body.ts";
import { createRateLimit } from "../../http/rate-limit.ts";
import { sourceOf } from "../../http/source.ts";
import type { Log } from "../log.ts";
import { type Access, createAccess } from "./access.ts";
import { frontPage, statusPage } from "./page.ts";
import { createReport, type ReportDeps } from "./report.ts";

export interface StatusDeps extends ReportDeps {
  /** Undefined where the page is to show nothing but health. */
  token: string | undefined;
  overview: BridgeOverview;
  log: Log;
}

const files = [
  { path: "/status/status.css", type: "text/css; charset=utf-8" },
  { path: "/status/status.js", type: "text/javascript; charset=utf-8" },
].map(({ path, type }) => ({
  path,
  type,
  bytes: readFileSync(new URL(`./assets/${path.split("/").at(-1)}`, import.meta.url)),
}));

const headers = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

const formBytes = 4096;
const wrongTokens = { points: 10, seconds: 60 };

const readForm = async (req: Request): Promise<URLSearchParams> =>
  new URLSearchParams((await readBody(req, formBytes)).toString("utf8"));

const searchIn = ({ query: { q } }: Request): string => (typeof q === "string" ? q.slice(0, 200) : "");

export function statusRoutes(deps: StatusDeps): Router {
  const { token, parts, problems, overview, now, log } = deps;
  const report = createReport(deps);
  const access: Access | undefined = token === undefined ? undefined : createAccess({ token, now });
  const wrong = createRateLimit(wrongTokens);
  const front = (res: Response, status: number, refusal?: string): void => {
    const hasToken = access !== undefined;
    res.status(status).type("html");
    res.send(frontPage(parts, problems(), { hasToken, ...(refusal !== undefined && { refusal }) }));
  };

  const router = Router();
  router.use("/status", (_req, res, next) => {
    res.set(headers);
    next();
  });
  for (const { path, type, bytes } of files) {
    router.get(path, (_req, res) => void res.set("Content-Type", type).send(bytes));
  }

  router.get("/status", async (req, res) => {
    const session = access?.sessionOf(req);
    if (!session) return front(res, 200);
    res.type("html").send(statusPage(await report(searchIn(req)), session.formKey));
  });

  router.get("/status.json", async (req, res) => {
    if (access?.sessionOf(req)) return void res.json(await report(searchIn(req)));
    const why = access ? "show admin.token as a bearer token" : "admin.token is not set";
    res.status(401).set("WWW-Authenticate", "Bearer").json({ error: why });
  });

  router.post("/status/login", async (req, res) => {
    if (!access) return front(res, 403, "admin.token is not set, so nobody can log in.");
    const from = sourceOf(req);
    const wait = await wrong.peek(from);
    if (wait !== undefined) {
      res.set("Retry-After", String(Math.ceil(wait / 1000)));
      return front(res, 429, "Too many wrong tokens came from your address. Wait a minute.");
    }
    if (!access.isToken((await readForm(req)).get("token") ?? "")) {
      await wrong.take(from);
      log.warn("a wrong token for the status page was refused", { from });
      return front(res, 403, "That is not the token.");
    }
    res.set("Set-Cookie", access.cookie()).redirect(303, "/status");
  });

  /** @param act @returns false where what it is about is not there any more. */
  const post = (name: string, act: (id: number) => Promise<boolean>): void => {
    router.post(`/status/${name}`, async (req, res) => {
      const session = access?.sessionOf(req);
      if (!access || !session) return front(res, 401, "Log in first.");
      const form = await readForm(req);
      if (!access.mayPost(session, form.get("key"))) {
        return front(res, 403, "This form is of another session: open the page anew.");
      }
      const id = Number(form.get("id") ?? 0);
      if (Number.isSafeInteger(id) && (await act(id)))
        log.info("an operator pressed a button of the status page", { button: name, id });
      res.redirect(303, "/status");
    });
  };
  post("retry", overview.retry);
  post("drop", overview.drop);
  post("retry-all", async () => {
    await overview.retryAll();
    return true;
  });
  post("retry-now", async () => {
    overview.retryNow();
    return true;
  });
  router.post("/status/logout", (_req, res) => {
    if (access) res.set("Set-Cookie", access.endingCookie());
    res.redirect(303, "/status");
  });

  const errors: ErrorRequestHandler = (error, _req, res, _next) => {
    if (res.headersSent) return void res.destroy();
    if (error instanceof BodyError) return void res.status(error.status).json({ error: error.message });
    log.error("the status page could not be shown", { error });
    res.status(500).json({ error: "the bridge could not answer this; its log says why" });
  };
  router.use(errors);
  return router;
}
