/** What homeservers ask of a push gateway: Matrix Push Gateway API v1.15. */
import { type RequestHandler, type Response, Router } from "express";
import { sourceOf } from "../http/source.ts";
import type { Notification } from "../mapping/notifications.ts";
import type { Log } from "../ops/log.ts";
import { type Content, isObject, readString } from "./event.ts";
import { jsonBody, only, refuse, refuseForNow, standardErrors, unknownEndpoint } from "./http-api.ts";
import type { EventId, RoomId } from "./ids.ts";
import { isDeeperThan, maxDepth, senselessDepth } from "./json.ts";

export interface Device {
  pushKey: string;
  highlight: boolean;
}

export interface PushRequest {
  notification: Notification;
  devices: Device[];
}

export type PushAnswer =
  /** Every device was served, but for those whose push keys will never work again. */
  | { kind: "taken"; rejected: string[] }
  /** Not now; what was served already is remembered, and a repeat serves the rest. */
  | { kind: "limited"; retryAfterMs: number }
  | { kind: "later"; problem: string };

export interface PushGatewayDeps {
  log: Log;
  /** @param source where the request came from, an address or network. */
  notify(request: PushRequest, source: string): Promise<PushAnswer>;
}

/** Whoever sent the request must change it. */
export class PushSyntaxError extends Error {
  override readonly name = "PushSyntaxError";
  readonly errcode: string;
  constructor(errcode: string, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

// An event has 64 KiB at most.
const limit = 256 * 1024;

function field(object: Content, name: string, of: string): unknown {
  const value = object[name];
  if (value === undefined || value === null)
    throw new PushSyntaxError("M_MISSING_PARAM", `${of} needs \`${name}\`.`);
  return value;
}

function parseDevice(value: unknown): Device {
  if (!isObject(value)) throw new PushSyntaxError("M_BAD_JSON", "A device is an object.");
  const [appId, pushKey] = [field(value, "app_id", "A device"), field(value, "pushkey", "A device")];
  if (typeof appId !== "string" || typeof pushKey !== "string")
    throw new PushSyntaxError("M_BAD_JSON", "`app_id` and `pushkey` are strings.");
  return { pushKey, highlight: isObject(value.tweaks) && value.tweaks.highlight === true };
}

const count = (counts: unknown, name: string): number | undefined => {
  if (!isObject(counts)) return undefined;
  const value = counts[name] ?? 0;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
};

/**
 * Reads what a homeserver sends. Only what the answer depends on has to be right. The rest can come from the members
 * of a room, and a homeserver would repeat a refused notification for a day and send no other meanwhile.
 * @throws PushSyntaxError
 */
export function parsePush(body: unknown): PushRequest {
  if (!isObject(body)) throw new PushSyntaxError("M_BAD_JSON", "A notification is sent as a JSON object.");
  const given = field(body, "notification", "The request");
  if (!isObject(given)) throw new PushSyntaxError("M_BAD_JSON", "`notification` is an object.");
  const devices = field(given, "devices", "`notification`");
  if (!Array.isArray(devices)) throw new PushSyntaxError("M_BAD_JSON", "`devices` is an array.");
  const { event_id: eventId = null, content, counts } = given;
  if (eventId !== null && typeof eventId !== "string")
    throw new PushSyntaxError("M_BAD_JSON", "`event_id` is a string.");
  return {
    devices: devices.map(parseDevice),
    notification: {
      eventId: (eventId || undefined) as EventId | undefined,
      roomId: readString(given, "room_id") as RoomId | undefined,
      type: readString(given, "type"),
      sender: readString(given, "sender"),
      senderName: readString(given, "sender_display_name"),
      roomName: readString(given, "room_name"),
      roomAlias: readString(given, "room_alias"),
      isTarget: given.user_is_target === true,
      content: isObject(content) && !isDeeperThan(maxDepth, content) ? content : {},
      unread: count(counts, "unread"),
    },
  };
}

function answer(res: Response, outcome: PushAnswer): void {
  if (outcome.kind === "taken") res.status(200).json({ rejected: outcome.rejected });
  else if (outcome.kind === "later") refuse(res, 502, "M_UNKNOWN", outcome.problem);
  else refuseForNow(res, outcome.retryAfterMs);
}

function notifying({ notify, log }: PushGatewayDeps): RequestHandler {
  return async (req, res) => {
    if (req.body === undefined) return refuse(res, 400, "M_NOT_JSON", "The body is not JSON.");
    try {
      answer(res, await notify(parsePush(req.body), sourceOf(req)));
    } catch (error) {
      if (error instanceof PushSyntaxError) return refuse(res, 400, error.errcode, error.message);
      log.error("a notification could not be handled", { error });
      refuse(res, 503, "M_UNKNOWN", "The bridge could not do this now; send it again.");
    }
  };
}

/** Routes below `/_matrix/push`, which ask for no token: the push keys are the secret. */
export function pushGatewayRoutes(deps: PushGatewayDeps): Router {
  const router = Router();
  router
    .route("/v1/notify")
    .post(jsonBody(limit, senselessDepth, 128 * limit), notifying(deps))
    .all(only("POST"));
  router.use(unknownEndpoint);
  router.use(standardErrors(deps.log));
  return router;
}
