/** What ghosts show on the stand-in homeserver besides messages: typing, read receipts, presence, pictures. */
import type { Content } from "./fake-rooms.ts";
import type { SeenRequest } from "./fake-server.ts";

const client = "/_matrix/client/v3";
const typing = new RegExp(`^${client}/rooms/([^/]+)/typing/([^/]+)$`);
const receipt = new RegExp(`^${client}/rooms/([^/]+)/receipt/m.read/([^/]+)$`);
const presence = new RegExp(`^${client}/presence/([^/]+)/status$`);
const avatar = new RegExp(`^${client}/profile/([^/]+)/avatar_url$`);

export function createSignals(avatars: Map<string, string>) {
  const presences = new Map<string, Content>();
  const signals = {
    /** In the order in which they came: who in which room, with the body. */
    typing: [] as [string, string, Content][],
    /** Who has read up to what. */
    receipts: [] as [string, string][],
    /** Each change as it came. */
    presence: [] as [string, Content][],
    /** Whether the homeserver keeps presence; Synapse takes it all the same. */
    keepsPresence: true,
    /** @returns undefined where the request is for something else. */
    answer({ method, path, body }: SeenRequest, userId: string): Content | undefined {
      const said: Content = body === "" ? {} : JSON.parse(body);
      for (const { asks, pattern, take } of routes) {
        const [found, first = "", second = ""] = (asks === method && pattern.exec(path)) || [];
        if (found) return take(userId, decodeURIComponent(first), said, decodeURIComponent(second));
      }
      return undefined;
    },
  };
  const routes: {
    asks: string;
    pattern: RegExp;
    take(userId: string, first: string, said: Content, second: string): Content;
  }[] = [
    {
      asks: "PUT",
      pattern: typing,
      take(userId, roomId, said) {
        signals.typing.push([userId, roomId, said]);
        return {};
      },
    },
    {
      asks: "POST",
      pattern: receipt,
      take(userId, _roomId, _said, eventId) {
        signals.receipts.push([userId, eventId]);
        return {};
      },
    },
    {
      asks: "PUT",
      pattern: presence,
      take(userId, of, said) {
        signals.presence.push([userId, said]);
        if (signals.keepsPresence) presences.set(of, said);
        return {};
      },
    },
    { asks: "GET", pattern: presence, take: (_userId, of) => presences.get(of) ?? { presence: "offline" } },
    {
      asks: "PUT",
      pattern: avatar,
      take(_userId, of, said) {
        avatars.set(of, String(said.avatar_url));
        return {};
      },
    },
  ];
  return signals;
}
