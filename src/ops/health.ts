/** What is wrong right now, part by part, and the routes of the admin listener that tell it. */
import express, { type Express, type RequestHandler, type Router } from "express";

/** Of the process as a whole, while it starts and stops: to be given nothing, whichever part is asked for. */
export const wholeProcess = "process";

export interface Health {
  /** Says what is wrong with a part, or with `undefined` that it is well. */
  set(part: string, problem: string | undefined): void;
  /** The parts with a problem, each with it; empty while all is well. */
  problems(): Record<string, string>;
}

export function createHealth(): Health {
  const problems = new Map<string, string>();
  return {
    set(part, problem) {
      if (problem === undefined) problems.delete(part);
      else problems.set(part, problem);
    },
    problems: () => Object.fromEntries(problems),
  };
}

/**
 * `GET /health/live` is 200 while the process answers at all, `GET /health/ready` is 503 while anything is wrong, or
 * with `?part=database` while that part is: a balancer must go on to hand over what waits for a side that is away.
 */
function healthRoutes(health: Health): Router {
  const router = express.Router();
  router.get("/health/live", (_request, response) => {
    response.json({ status: "live" });
  });
  router.get("/health/ready", ({ query: { part } }, response) => {
    const all = Object.entries(health.problems());
    const isMeant = ([name]: [string, string]): boolean =>
      part === undefined || name === part || name === wholeProcess;
    const problems = Object.fromEntries(all.filter(isMeant));
    if (Object.keys(problems).length === 0) response.json({ status: "ready" });
    else response.status(503).json({ status: "not ready", problems });
  });
  return router;
}

/** The admin listener's application: health, then the routers given, then 404 as JSON. */
export function createAdminApp(health: Health, ...routers: Router[]): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use(neverCached, healthRoutes(health), ...routers, (_request, response) => {
    response.status(404).json({ error: "not found" });
  });
  return app;
}

const neverCached: RequestHandler = (_request, response, next) => {
  response.set("Cache-Control", "no-store");
  next();
};
