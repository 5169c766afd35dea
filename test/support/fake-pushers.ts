/** The pushers of a stand-in homeserver's users, set with access tokens as Synapse has it. */
import { type Content, Refusal } from "./fake-rooms.ts";
import type { SeenRequest } from "./fake-server.ts";

export function createPushers() {
  const tokens = new Map<string, string>();
  const pushers = new Map<string, Content[]>();
  const of = (userId: string): Content[] => pushers.get(userId) ?? [];

  return {
    tokenOf(userId: string): string {
      const token = `syt_${Buffer.from(userId).toString("base64url")}_secret`;
      tokens.set(token, userId);
      return token;
    },
    of,
    isFor: ({ method, path }: SeenRequest): boolean =>
      method === "POST" && path === "/_matrix/client/v3/pushers/set",
    set({ headers, body }: SeenRequest): Content {
      const userId = tokens.get(headers.authorization?.replace("Bearer ", "") ?? "");
      if (userId === undefined) throw new Refusal(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
      const pusher: Content = JSON.parse(body);
      const { url = "" } = (pusher.data ?? {}) as { url?: string };
      if (pusher.kind !== null && new URL(url).pathname !== "/_matrix/push/v1/notify")
        throw new Refusal(400, "M_MISSING_PARAM", "'url' must have a path of '/_matrix/push/v1/notify'");
      const others = of(userId).filter(({ pushkey }) => pushkey !== pusher.pushkey);
      pushers.set(userId, pusher.kind === null ? others : [...others, pusher]);
      return {};
    },
  };
}
