/** What is wrong right now, part by part, and the routes of the admin listener that tell it. */
import express, { type Express, type RequestHandler, type Router } from "express";

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

/** `GET /health/live` is 200 while the process answers at all, `GET /health/ready` is 503 while anything is wrong. */
function healthRoutes(health: Health): Router {
  const router = express.Router();
  router.get("/health/live", (_request, response) => {
    response.json({ status: "live" });
  });
  router.get("/health/ready", (_request, response) => {
    const problems = health.problems();
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
