/** What Prosody hands to the bridge: mod_rest's callback, one stanza a request, never repeated. */
import express, { type ErrorRequestHandler, type RequestHandler, type Response, Router } from "express";
import { readBasic, sameSecret } from "../http/credentials.ts";
import type { Log } from "../ops/log.ts";
import type { ArrivalOrder } from "./arrival-order.ts";
import { type Element, errorReply, parseStanza, StanzaSyntaxError, serialize } from "./stanza.ts";

export interface CallbackDeps {
  secret: string;
  order: ArrivalOrder;
  log: Log;
  /** Resolves once a message or presence is stored, or is known to need no storing. */
  receive(stanza: Element): Promise<void>;
  answerIq(request: Element): Promise<Element>;
  /** mod_rest asks once, when it is loaded, what the callback takes. */
  onProsodyStart(): void;
}

// Stanzas from other servers may be larger than the 192 KiB that mod_rest itself takes.
const limit = "1mb";

/** Express would add a charset, for which mod_rest of 2019 ignores the body; a text body would be sent as a message. */
function answer(res: Response, status: number, stanza?: Element): void {
  const body = stanza ? Buffer.from(serialize(stanza)) : undefined;
  res.writeHead(status, body && { "content-type": "application/xmpp+xml", "content-length": body.length });
  res.end(body);
}

function credentialCheck({ secret, order, log }: CallbackDeps): RequestHandler {
  return (req, res, next) => {
    if (sameSecret(readBasic(req.get("authorization")) ?? "", `prosody:${secret}`)) return next();
    log.warn(
      "a callback came with wrong credentials: rest_callback_url must be the one that `causeway prosody-config` prints",
      { from: req.socket.remoteAddress },
    );
    order.ignore(req.socket);
    res.setHeader("www-authenticate", 'Basic realm="causeway"');
    answer(res, 401);
  };
}

const errors =
  ({ order, log }: CallbackDeps): ErrorRequestHandler =>
  (error, req, res, next) => {
    order.ignore(req.socket);
    if (res.headersSent) return next(error);
    const malformed = error instanceof StanzaSyntaxError;
    if (malformed || error?.status < 500) {
      log.warn("a callback that is no stanza was refused", { problem: error.message });
      return answer(res, malformed ? 400 : error.status);
    }
    // Any 5xx but 507 would make a MUC remove the addressee; "resource-constraint, wait" says try again.
    log.error("a stanza could not be stored and was refused", { error });
    answer(res, 429);
  };

/** The route at `/xmpp/callback`. */
export function callbackRoutes(deps: CallbackDeps): Router {
  const { order, receive, answerIq, onProsodyStart, log } = deps;
  const take = async (stanza: Element, stillThere: boolean, res: Response): Promise<void> => {
    const { type, from, to } = stanza.attrs;
    if (!stillThere) return log.warn("Prosody gave a callback up before its turn", { from });
    if (stanza.name !== "iq") {
      await receive(stanza);
      return answer(res, 202);
    }
    // Answers to nothing: any reply would start a loop (docs/servers.md).
    if (type !== "get" && type !== "set") return answer(res, 202);
    try {
      answer(res, 200, await answerIq(stanza));
    } catch (error) {
      log.warn("an IQ could not be answered", { from, to, error });
      answer(res, 200, errorReply(stanza, { type: "wait", condition: "internal-server-error" }));
    }
  };

  const router = Router();
  router.use(credentialCheck(deps));
  router.options("/", (req, res) => {
    order.ignore(req.socket);
    onProsodyStart();
    res.setHeader("accept", "application/xmpp+xml");
    answer(res, 200);
  });
  router.post("/", express.raw({ type: () => true, limit }), async (req, res) => {
    // Malformed bodies must not hold up their successors, so parsing comes before waiting.
    const stanza = parseStanza(String(req.body));
    await order.turn(req.socket, (stillThere) => take(stanza, stillThere, res));
  });
  router.all("/", (_req, res) => answer(res, 405));
  router.use(errors(deps));
  return router;
}
