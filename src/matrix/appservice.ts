/** What the homeserver asks of the bridge: Matrix Application Service API v1.15. */
import { type RequestHandler, Router } from "express";
import { isObject, readString } from "./event.ts";
import { tokenCheck } from "./homeserver-token.ts";
import { jsonBody, only, refuse, refuseForNow } from "./http-api.ts";
import { senselessDepth } from "./json.ts";
import { addThirdPartyRoutes, type ThirdParty } from "./third-party.ts";
import { type TransactionsDeps, transactions } from "./transactions.ts";

export interface AppserviceDeps extends TransactionsDeps {
  hsToken: string;
  /** Whether there is room for more; without it the homeserver keeps the transaction, and all behind it. */
  takesTransaction(): boolean;
  /** The homeserver's answer to the bridge's own ping is on its way. */
  onPing(transactionId: string | undefined): void;
  /** Whether a user of the bridge's namespace exists, made now if it can be. */
  userExists(userId: string): Promise<boolean>;
  /** Whether an alias of the bridge's namespace leads to a room, made now if it can be. */
  aliasExists(alias: string): Promise<boolean>;
  thirdParty: ThirdParty;
}

// Synapse sends up to 100 events of 64 KiB, each with earlier contents beside it, and as much ephemeral data.
const limit = 64 * 1024 * 1024;

/** For homeservers that look; others have their own notion (docs/servers.md), or try again after the next ping. */
const comeBackMs = 5000;

// COMPAT(homeservers before r0.1.1 of the specification, Dendrite with `legacy_paths`): "Legacy routes", without a prefix.
const everyPath = (path: string): string[] => [`/_matrix/app/v1${path}`, path];

/** Routes from the root on; what goes wrong in them is left to the error handler behind them. */
export function appserviceRoutes(deps: AppserviceDeps): Router {
  const router = Router();
  // A transaction that is refused comes again for ever, so only the event that is too deep is left out.
  const json = jsonBody(limit, senselessDepth);
  const authorized = tokenCheck(deps);
  const pushBack: RequestHandler = (_req, res, next) =>
    deps.takesTransaction() ? next() : refuseForNow(res, comeBackMs, "Too much waits here already.");

  router
    .route(everyPath("/transactions/:txnId"))
    .put(authorized, pushBack, json, transactions(deps))
    .all(only("PUT"));
  router
    .route("/_matrix/app/v1/ping")
    .post(authorized, jsonBody(64 * 1024), (req, res) => {
      deps.onPing(isObject(req.body) ? readString(req.body, "transaction_id") : undefined);
      res.status(200).json({});
    })
    .all(only("POST"));
  router
    .route(everyPath("/users/*userId"))
    .get(authorized, async (req, res) => {
      // Some homeservers leave "/" in a user ID as it is.
      const userId = (req.params.userId as unknown as string[]).join("/");
      if (await deps.userExists(userId)) res.status(200).json({});
      else refuse(res, 404, "M_NOT_FOUND", "There is no such user behind this bridge.");
    })
    .all(only("GET"));
  router
    .route(everyPath("/rooms/*alias"))
    .get(authorized, async (req, res) => {
      const alias = (req.params.alias as unknown as string[]).join("/");
      if (await deps.aliasExists(alias)) res.status(200).json({});
      else refuse(res, 404, "M_NOT_FOUND", "There is no such room behind this bridge.");
    })
    .all(only("GET"));
  addThirdPartyRoutes(router, authorized, deps.thirdParty);
  return router;
}
