/** Pushers, set with the access token of the user whose they are: Client-Server API v1.15, POST /pushers/set. */
import { type Http, retryAfterOf } from "../http/client.ts";
import { type Content, isObject } from "./event.ts";
import { MatrixError } from "./matrix-error.ts";

/** Where a homeserver sends what it has for one push key. */
export interface PusherRequest {
  method: "POST";
  path: string;
  body: Content;
}

const appId = "im.causeway.xmpp";
const path = "/_matrix/client/v3/pushers/set";

/** @param gatewayUrl ends in /_matrix/push/v1/notify, as the specification asks. */
export const addPusher = (gatewayUrl: string, pushKey: string, deviceName: string): PusherRequest => ({
  method: "POST",
  path,
  body: {
    app_id: appId,
    app_display_name: "XMPP",
    device_display_name: deviceName,
    pushkey: pushKey,
    kind: "http",
    lang: "en",
    data: { url: gatewayUrl },
    // Somebody with two accounts on the homeserver keeps both.
    append: true,
  },
});

export const removePusher = (pushKey: string): PusherRequest => ({
  method: "POST",
  path,
  body: { app_id: appId, pushkey: pushKey, kind: null },
});

const parseBody = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** An access token as it can travel in a header. */
export const isToken = (text: string): boolean => /^[!-~]{1,4096}$/.test(text);

/**
 * The token is used for this call and kept nowhere.
 * @throws MatrixError where the homeserver refused, NoAnswerError where none came.
 */
export async function setPusher(
  http: Http,
  accessToken: string,
  { method, path, body }: PusherRequest,
  now: number,
): Promise<void> {
  const answer = await http.request({
    method,
    path,
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
    repeatable: true,
  });
  const parsed = parseBody(answer.body);
  if (answer.status === 200 && isObject(parsed)) return;
  const status = answer.status < 300 ? 502 : answer.status;
  throw new MatrixError("set the pusher", status, parsed, retryAfterOf(answer, now));
}
