/** Links: which may be followed, and which mean a Matrix user, a Matrix room (matrix.to and `matrix:` of the specification's appendices, v1.15) or an XMPP address (RFC 5122). */
import { parseRoomAlias, parseRoomId, parseUserId } from "../../matrix/ids.ts";
import { parseBareJid } from "../../xmpp/jid.ts";
import { type Inline, type Mentionable, textOf } from "./tree.ts";

/** What the specification permits in `formatted_body` ("m.room.message msgtypes"). */
export const matrixSchemes: ReadonlySet<string> = new Set(["https:", "http:", "ftp:", "mailto:", "magnet:"]);
const schemes: ReadonlySet<string> = new Set([...matrixSchemes, "xmpp:"]);

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const mentionable = (id: string | undefined): Mentionable | undefined =>
  id === undefined ? undefined : (parseUserId(id) ?? parseRoomAlias(id) ?? parseRoomId(id));

const sigils: Record<string, string> = { u: "@", r: "#", roomid: "!" };

/** Links to one event of a room stay links. */
function mentioned(href: string): Mentionable | undefined {
  const [, permalink] = /^https?:\/\/matrix\.to\/#\/([^/?]+)(?:\?.*)?$/i.exec(href) ?? [];
  if (permalink !== undefined) return mentionable(decoded(permalink));
  const [, type = "", rest] = /^matrix:(u|r|roomid)\/([^/?#]+)(?:\?.*)?$/i.exec(href) ?? [];
  return rest === undefined ? undefined : mentionable(`${sigils[type.toLowerCase()]}${decoded(rest)}`);
}

export type Target =
  | { kind: "mention"; id: Mentionable }
  | Omit<Extract<Inline, { kind: "contact" }>, "label">
  | { kind: "link"; href: string };

/** @returns undefined for what nobody should follow: relative, of another scheme, or no link at all. */
export function readTarget(link: string): Target | undefined {
  const href = link.trim();
  const id = mentioned(href);
  if (id) return { kind: "mention", id };
  const [, contact] = /^xmpp:([^/?#]+)$/i.exec(href) ?? [];
  const jid = contact === undefined ? undefined : parseBareJid(decoded(contact) ?? "");
  if (jid) return { kind: "contact", jid };
  if (!URL.canParse(href)) return undefined;
  const url = new URL(href);
  if (!schemes.has(url.protocol)) return undefined;
  // White space and quotes in it would end it early where it stands in plain text.
  return { kind: "link", href: /[\s\p{Cc}<>"]/u.test(href) ? url.href : href };
}

/** Whether the words of a link say where it leads. */
export function tellsLink({ href, children }: Extract<Inline, { kind: "link" }>): boolean {
  const words = textOf(children).trim();
  return ["", "http://", "https://", "mailto:", "xmpp:"].some((scheme) =>
    [scheme + words, `${scheme}${words}/`].includes(href),
  );
}

/** Sigil and colon stay as they are, for clients that look for them. */
export const matrixToLink = (id: Mentionable): string =>
  `https://matrix.to/#/${encodeURIComponent(id.toWellFormed()).replace("%40", "@").replaceAll("%3A", ":")}`;
