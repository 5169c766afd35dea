/** Takes the bridge's place on `listen` while a check runs without it: answers the check, and puts all else off. */
import express, { type Express, type RequestHandler } from "express";
import { callbackPath, callbackUser } from "../config/prosody.ts";
import type { Config } from "../config/schema.ts";
import { readBasic, readBearer, sameSecret } from "../http/credentials.ts";
import { createPublicApp } from "../http/public-app.ts";
import { type Listener, listen } from "../http/server.ts";
import { isObject, readString } from "../matrix/event.ts";
import { jsonBody, only, refuse } from "../matrix/http-api.ts";
import { mediaPath, noSuchFile } from "../media/links.ts";
import { NS } from "../xmpp/namespaces.ts";
import { parseStanza, readChild, serialize, xml } from "../xmpp/stanza.ts";

export const pushPath = "/_matrix/push/v1/notify";

/** What came in so far. */
interface Heard {
  /** Of pings with the right token, of the check's own stanzas with the right credentials, of calls to the push gateway. */
  ids: Set<string>;
  wrongToken: boolean;
  wrongCredentials: boolean;
  /** A proxy that names its caller, without being one whose word counts. */
  strangeProxy: string | undefined;
}

export interface StandIn {
  /** @throws Error as `listen` does. */
  open(): Promise<void>;
  isOpen(): boolean;
  heard: Heard;
  close(): Promise<void>;
}

export interface StandInDeps {
  listen: Config["listen"];
  hsToken: string;
  callbackSecret: string;
}

const whole = express.raw({ type: () => true, limit: "1mb" });

function matrixRoutes(hsToken: string, heard: Heard): Express {
  const authorized: RequestHandler = (req, res, next) => {
    const token = readBearer(req.get("authorization")) ?? req.query.access_token;
    if (typeof token === "string" && sameSecret(token, hsToken)) return next();
    heard.wrongToken = true;
    refuse(res, 403, "M_FORBIDDEN", "The homeserver token is wrong.");
  };
  const routes = express();
  routes.post("/app/v1/ping", authorized, jsonBody(64 * 1024), (req, res) => {
    heard.ids.add((isObject(req.body) && readString(req.body, "transaction_id")) || "");
    res.json({});
  });
  routes.get("/push/v1/notify", (req, _res, next) => {
    heard.ids.add(String(req.query.check));
    const caller = req.socket.remoteAddress;
    if (req.get("x-forwarded-for") !== undefined && req.ip === caller) heard.strangeProxy = caller;
    next();
  });
  routes.all("/push/v1/notify", (req, res, next) =>
    req.method === "POST" ? next() : only("POST")(req, res, next),
  );
  // A homeserver sends transactions and notifications again after a 503.
  routes.use((_req, res) =>
    refuse(res, 503, "M_UNKNOWN", "The bridge is not running now; send it again later."),
  );
  return routes;
}

function callbackRoutes(secret: string, heard: Heard): Express {
  const routes = express();
  routes.use((req, res, next) => {
    if (sameSecret(readBasic(req.get("authorization")) ?? "", `${callbackUser}:${secret}`)) return next();
    heard.wrongCredentials = true;
    res.writeHead(401).end();
  });
  routes.options("/", (_req, res) => {
    res.writeHead(200, { accept: "application/xmpp+xml" }).end();
  });
  routes.post("/", whole, (req, res) => {
    const stanza = parseStanza(String(req.body));
    const { id = "", type, from, to } = stanza.attrs;
    if (type === "error" || type === "result") return void res.writeHead(202).end();
    if (stanza.name === "iq" && readChild(stanza, NS.ping)) {
      heard.ids.add(id);
      const body = Buffer.from(serialize(xml("iq", { type: "result", id })));
      return void res.writeHead(200, { "content-type": "application/xmpp+xml" }).end(body);
    }
    if (stanza.name === "message" && from === to) {
      heard.ids.add(id);
      return void res.writeHead(202).end();
    }
    // Its sender is told to wait, and nobody is thrown out of a room for it.
    res.writeHead(429).end();
  });
  return routes;
}

export function createStandIn({ listen: place, hsToken, callbackSecret }: StandInDeps): StandIn {
  const heard: Heard = {
    ids: new Set(),
    wrongToken: false,
    wrongCredentials: false,
    strangeProxy: undefined,
  };
  let listener: Listener | undefined;
  const app = createPublicApp(place.trustedProxies ?? []);
  app.use("/_matrix", matrixRoutes(hsToken, heard));
  app.use(callbackPath, callbackRoutes(callbackSecret, heard));
  app.get(`${mediaPath}/check/:mark`, (req, res) => {
    heard.ids.add(`media ${req.params.mark}`);
    res.status(404).type("text/plain").send(noSuchFile);
  });
  app.use((_req, res) => refuse(res, 404, "M_UNRECOGNIZED", "There is nothing here."));
  const broken: express.ErrorRequestHandler = (_error, _req, res, _next) => {
    if (res.headersSent) res.destroy();
    else res.writeHead(400).end();
  };
  app.use(broken);
  return {
    heard,
    isOpen: () => listener !== undefined,
    async open() {
      listener = await listen(app, { ...place, isBodiless: (path) => path.startsWith(callbackPath) });
    },
    async close() {
      await listener?.stop();
      listener = undefined;
    },
  };
}
