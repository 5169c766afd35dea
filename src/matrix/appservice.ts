/** What the homeserver asks of the bridge: Matrix Application Service API v1.15. */
import { createHash } from "node:crypto";
import { type RequestHandler, Router } from "express";
import { readBearer, sameSecret } from "../http/credentials.ts";
import type { Log } from "../ops/log.ts";
import { isObject, type MatrixEvent, parseEvent, readString } from "./event.ts";
import { jsonBody, only, refuse, standardErrors, unknownEndpoint } from "./http-api.ts";

export interface AppserviceDeps {
  hsToken: string;
  log: Log;
  /** Resolves once every event that matters is stored; rejects if it cannot be. */
  accept(transaction: { id: string; digest: string; events: MatrixEvent[] }): Promise<void>;
  /** The homeserver's answer to the bridge's own ping is on its way. */
  onPing(transactionId: string | undefined): void;
  /** The homeserver talks over a connection that it has not used before: it may have been restarted. */
  onNewConnection(): void;
  /** Whether a user of the bridge's namespace exists, made now if it can be. */
  userExists(userId: string): Promise<boolean>;
}

// Synapse sends up to 100 events of 64 KiB and as much ephemeral data in one transaction.
const limit = "64mb";

const digestOf = (events: readonly MatrixEvent[]): string =>
  createHash("sha256")
    .update(events.map(({ event_id }) => event_id).join("\n"))
    .digest("base64url");

function tokenCheck({ hsToken, log }: AppserviceDeps): RequestHandler {
  return (req, res, next) => {
    const token = readBearer(req.get("authorization"));
    if (token === undefined) {
      return refuse(res, 401, "M_MISSING_TOKEN", "The homeserver token is missing.");
    }
    const { access_token: inQuery } = req.query;
    if (!sameSecret(token, hsToken) || (inQuery !== undefined && inQuery !== token)) {
      log.warn(
        "a request came with a wrong homeserver token: is hs_token the same in registration and configuration?",
        {
          path: req.path,
          from: req.socket.remoteAddress,
        },
      );
      return refuse(res, 403, "M_FORBIDDEN", "The homeserver token is wrong.");
    }
    next();
  };
}

function transactions({ accept, onNewConnection, log }: AppserviceDeps): RequestHandler {
  const connections = new WeakSet<object>();
  return async (req, res) => {
    if (!connections.has(req.socket)) {
      connections.add(req.socket);
      onNewConnection();
    }
    const body: unknown = req.body;
    if (!isObject(body)) return refuse(res, 400, "M_BAD_JSON", "A transaction is a JSON object.");
    if (body.events !== undefined && !Array.isArray(body.events)) {
      return refuse(res, 400, "M_BAD_JSON", "`events` is an array.");
    }
    const events: MatrixEvent[] = [];
    for (const value of body.events ?? []) {
      const event = parseEvent(value);
      // Refusing the whole would make the homeserver send the same again for ever, and nothing after it.
      if (event) events.push(event);
      else
        log.warn("an event without the fields that every event has was left out", {
          txn: String(req.params.txnId),
        });
    }
    await accept({ id: String(req.params.txnId), digest: digestOf(events), events });
    res.status(200).json({});
  };
}

/** Routes below `/_matrix`; every answer is JSON, every error has `errcode` and `error`. */
export function appserviceRoutes(deps: AppserviceDeps): Router {
  const router = Router();
  const json = jsonBody(limit);
  const authorized = tokenCheck(deps);

  router.route("/app/v1/transactions/:txnId").put(authorized, json, transactions(deps)).all(only("PUT"));
  router
    .route("/app/v1/ping")
    .post(authorized, json, (req, res) => {
      deps.onPing(isObject(req.body) ? readString(req.body, "transaction_id") : undefined);
      res.status(200).json({});
    })
    .all(only("POST"));
  router
    .route("/app/v1/users/*userId")
    .get(authorized, async (req, res) => {
      // Some homeservers leave "/" in a user ID as it is.
      const userId = (req.params.userId as unknown as string[]).join("/");
      if (await deps.userExists(userId)) res.status(200).json({});
      else refuse(res, 404, "M_NOT_FOUND", "There is no such user behind this bridge.");
    })
    .all(only("GET"));
  router
    .route("/app/v1/rooms/*alias")
    .get(authorized, (_req, res) =>
      refuse(res, 404, "M_NOT_FOUND", "There is no such room behind this bridge."),
    )
    .all(only("GET"));

  router.use(unknownEndpoint);
  router.use(standardErrors(deps.log));
  return router;
}
