/** What Prosody hands to the bridge: mod_rest's callback, one stanza a request, never repeated. */
import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from "express";
import { BodyError, readBody } from "../http/body.ts";
import { readBasic, sameSecret } from "../http/credentials.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { Strangers } from "../http/strangers.ts";
import type { Log } from "../ops/log.ts";
import type { ArrivalOrder } from "./arrival-order.ts";
import { type Element, errorReply, parseStanza, StanzaSyntaxError, serialize } from "./stanza.ts";

export interface CallbackDeps {
  secret: string;
  order: ArrivalOrder;
  strangers: Strangers;
  log: Log;
  /**
   * Resolves once a message or presence is stored, or is known to need no storing.
   * @returns the error for its sender, where it cannot be stored for now.
   */
  receive(stanza: Element): Promise<Element | undefined>;
  answerIq(request: Element): Promise<Element>;
  /** An IQ of type result or error, which asks for no answer. */
  onIqAnswer(answer: Element): void;
  /** mod_rest asks once, when it is loaded, what the callback takes. */
  onProsodyStart(): void;
}

// Stanzas from other servers may be larger than the 192 KiB that mod_rest itself takes.
const limit = 1024 * 1024;

/** Express would add a charset, for which mod_rest of 2019 ignores the body; a text body would be sent as a message. */
function answer(res: Response, status: number, stanza?: Element): void {
  const body = stanza ? Buffer.from(serialize(stanza)) : undefined;
  res.writeHead(status, body && { "content-type": "application/xmpp+xml", "content-length": body.length });
  res.end(body);
}

const wrongCredentials =
  "a callback came with wrong credentials: rest_callback_url must be the one that `causeway prosody-config` prints";

function credentialCheck({ secret, order, strangers }: CallbackDeps): RequestHandler {
  return async (req, res, next) => {
    if (sameSecret(readBasic(req.get("authorization")) ?? "", `prosody:${secret}`)) return next();
    order.ignore(req.socket);
    const wait = await strangers.refused(req, wrongCredentials);
    if (wait === undefined) {
      res.setHeader("www-authenticate", 'Basic realm="restricted"');
      return answer(res, 401);
    }
    res.setHeader("retry-after", Math.ceil(wait / 1000));
    answer(res, 429);
  };
}

/** Undefined where it was no fault of the request's. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof StanzaSyntaxError) return 400;
  return error instanceof BodyError ? error.status : undefined;
}

/** RFC 6120 §11.6 knows no other encoding. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new StanzaSyntaxError("not UTF-8", { cause: error });
  }
}

/**
 * mod_rest copies xml:lang into a header as it is, so that whoever puts line ends into it ends the headers and has a
 * stanza of theirs, from any sender, read as the body. The URL comes before all that, and names the true sender.
 * COMPAT(mod_rest of 2019-12-30): it leaves the URL as it is.
 */
function checkSender(req: Request, stanza: Element): void {
  const { from } = req.query;
  if (from === undefined || from === "{from}" || from === stanza.attrs.from) return;
  throw new StanzaSyntaxError("its sender is not the one that Prosody named");
}

/** Anybody on XMPP may cause them, so their lines are counted. */
const malformedLines = { points: 10, seconds: 60 };

const errors = ({ order, log }: CallbackDeps): ErrorRequestHandler => {
  const lines = createRateLimit(malformedLines);
  return async (error, req, res, _next) => {
    order.ignore(req.socket);
    if (res.headersSent) return void res.destroy();
    const status = statusOf(error);
    if (status !== undefined) {
      answer(res, status);
      const isMuch = (await lines.take("all")) !== undefined;
      if (!isMuch) log.warn("a callback that is no stanza was refused", { error });
      return;
    }
    // Any 5xx but 507 would make a MUC remove the addressee; "resource-constraint, wait" says try again.
    log.error("a stanza could not be stored and was refused", { error });
    answer(res, 429);
  };
};

/** The route at `/xmpp/callback`. */
export function callbackRoutes(deps: CallbackDeps): Router {
  const { order, receive, answerIq, onIqAnswer, onProsodyStart, log } = deps;
  const take = async (stanza: Element, stillThere: boolean, res: Response): Promise<void> => {
    const { type, from, to } = stanza.attrs;
    if (!stillThere) return log.warn("Prosody gave a callback up before its turn", { from });
    if (stanza.name !== "iq") {
      const refusal = await receive(stanza);
      // A status would leave out the words.
      return refusal ? answer(res, 200, refusal) : answer(res, 202);
    }
    // Answers to nothing: any reply would start a loop (docs/servers.md).
    if (type !== "get" && type !== "set") {
      onIqAnswer(stanza);
      return answer(res, 202);
    }
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
  router.post("/", async (req, res) => {
    // Malformed bodies must not hold up their successors, so parsing comes before waiting.
    const stanza = parseStanza(decode(await readBody(req, limit)));
    checkSender(req, stanza);
    await order.turn(req.socket, (stillThere) => take(stanza, stillThere, res));
  });
  router.use((req, res) => {
    order.ignore(req.socket);
    answer(res, req.path === "/" ? 405 : 404);
  });
  router.use(errors(deps));
  return router;
}
