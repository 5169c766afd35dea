/**
 * Presence: m.presence (Client-Server API v1.15, "Presence") <-> presence stanzas (RFC 6121 §4.7), with how long they
 * have been idle (XEP-0319 1.0.2).
 */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readText, xml } from "../xmpp/stanza.ts";

/** As Matrix knows it. */
export interface Availability {
  presence: "online" | "unavailable" | "offline";
  status?: string | undefined;
}

const longest = 500;

/** Long enough for what people write there, and no more. */
const shorten = (text: string): string => [...text].slice(0, longest).join("");

export interface ShownPresence {
  type: "unavailable" | undefined;
  children: Element[];
}

/**
 * Nothing is known of users whose homeserver keeps no presence: they count as there.
 * @param activeAt when they last did something (XEP-0082).
 */
export function toPresence(known: Availability | undefined, activeAt?: string): ShownPresence {
  const { presence, status } = known ?? { presence: "online" };
  const isIdle = presence === "unavailable" && activeAt !== undefined;
  return {
    type: presence === "offline" ? "unavailable" : undefined,
    children: [
      ...(presence === "unavailable" ? [xml("show", {}, "away")] : []),
      ...(status ? [xml("status", {}, shorten(status))] : []),
      ...(isIdle ? [xml("idle", { xmlns: NS.idle, since: activeAt })] : []),
    ],
  };
}

/** By the value of `<show/>`, the more telling ones first; "" is plain availability. */
const shows = ["chat", "", "dnd", "away", "xa"] as const;

export type Show = (typeof shows)[number];

/** What one resource of an XMPP user says of itself. */
export interface ResourcePresence {
  show: Show;
  status: string | undefined;
}

/** @returns undefined where the resource is not there (any more). */
export function readPresence(stanza: Element): ResourcePresence | undefined {
  if (stanza.attrs.type !== undefined) return undefined;
  const show = readText(stanza, "show") ?? "";
  const status = readText(stanza, "status");
  return {
    show: (shows as readonly string[]).includes(show) ? (show as Show) : "",
    status: status ? shorten(status) : undefined,
  };
}

/** One presence for all resources: that of the one which is most there. */
export function toAvailability(resources: readonly ResourcePresence[]): Availability {
  const [best] = resources.toSorted((a, b) => shows.indexOf(a.show) - shows.indexOf(b.show));
  if (!best) return { presence: "offline" };
  const isOnline = best.show === "" || best.show === "chat";
  return { presence: isOnline ? "online" : "unavailable", status: best.status };
}
