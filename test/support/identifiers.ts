/** Arbitrary valid identifiers of both networks, full of what either side would refuse, change or confuse. */
import fc from "fast-check";
import { parseRoomAlias, parseRoomId, parseUserId } from "../../src/matrix/ids.ts";
import { parseBareJid, parseFullJid } from "../../src/xmpp/jid.ts";

const nasty = fc.constantFrom(
  ..." \"&'/:<>@\\%=#!~-._+AZaz09\x01\x7f",
  ..."éßςſﬁİıǅ\u0301\u00ad\u200d\ufeff\u1806☃😀",
  ..."אب٣\u1100\u1161\u11a8\u09c7\u09be\u2ff0\ue000",
  "==",
  "\\3a",
  "=40",
);
const words = fc.array(fc.oneof(nasty, fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 40 });
export const texts = words.map((parts) => parts.join(""));
// Without the colon, for most of what is tried to be valid.
const localparts = texts.map((text) => text.replaceAll(":", ""));
const servers = fc.constantFrom(
  "hs.test",
  "hs.test:8448",
  "[2001:db8::1]:8448",
  "HS.test",
  "1.2.3.4",
  "a-b.test",
);
const defined = <T>(value: T | undefined): value is T => value !== undefined;

export const users = fc
  .tuple(localparts, servers)
  .map(([l, s]) => parseUserId(`@${l}:${s}`))
  .filter(defined);
export const aliases = fc
  .tuple(localparts, servers)
  .map(([l, s]) => parseRoomAlias(`#${l}:${s}`))
  .filter(defined);
export const roomIds = fc
  .oneof(
    fc.tuple(localparts, servers).map(([l, s]) => `!${l}:${s}`),
    localparts.map((l) => `!${l}`),
  )
  .map(parseRoomId)
  .filter(defined);
const jidLocals = fc
  .oneof(localparts, fc.string({ minLength: 200, maxLength: 1023 }))
  .map((text) => text.replace(/[\s"&'/:<>@\p{Cc}]/gu, ""));
export const bareJids = fc
  .oneof(
    jidLocals.map((local) => `${local}@xmpp.test`),
    fc.constantFrom("bot", "xmpp.test", "b@ot"),
  )
  .map(parseBareJid)
  .filter(defined);
export const occupants = fc
  .tuple(bareJids, jidLocals)
  .map(([j, r]) => parseFullJid(`${j}/${r}`))
  .filter(defined);
