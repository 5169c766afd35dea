/** `GET /metrics` on the admin listener, open like health: it holds numbers and no names. */
import { Router } from "express";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export function metricsRoutes(metrics: Pick<Metrics, "text" | "contentType">, log: Log): Router {
  return Router().get("/metrics", async (_req, res) => {
    try {
      res.set("Content-Type", metrics.contentType).send(await metrics.text());
    } catch (error) {
      log.error("the metrics could not be read", { error });
      res.status(500).json({ error: "the metrics could not be read; the log says why" });
    }
  });
}
