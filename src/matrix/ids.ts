/** The identifiers of Matrix as distinct types (Matrix v1.19, appendices, "Identifier Grammar"). */

declare const brand: unique symbol;

export type UserId = string & { readonly [brand]: "UserId" };
export type RoomId = string & { readonly [brand]: "RoomId" };
export type RoomAlias = string & { readonly [brand]: "RoomAlias" };
export type EventId = string & { readonly [brand]: "EventId" };

const MAX_BYTES = 255;

const SERVER_NAME = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?$/;

const encoder = new TextEncoder();

/** Length in UTF-8 bytes, which is how Matrix and XMPP both count. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** "Server Name": a DNS name, IPv4 or bracketed IPv6 address, with an optional port; case matters. */
export function isServerName(text: string): boolean {
  return SERVER_NAME.test(text);
}

/** Accepts historical user IDs too: any characters but `:` and NUL in the localpart, even none at all. */
function isUserId(text: string): text is UserId {
  return isIdentifier(text, "@") && hasServer(text);
}

/** Room IDs are opaque; those of room version 12 have no server part, all others do. */
function isRoomId(text: string): text is RoomId {
  return isIdentifier(text, "!") && (text.includes(":") ? hasServer(text) : text.length > 1);
}

function isRoomAlias(text: string): text is RoomAlias {
  return isIdentifier(text, "#") && hasServer(text);
}

/** Event IDs are opaque; those of room versions 1 and 2 have a server part. */
function isEventId(text: string): text is EventId {
  return isIdentifier(text, "$") && text.length > 1;
}

/** `undefined` for anything that no homeserver may call a user. */
export function parseUserId(text: string): UserId | undefined {
  return isUserId(text) ? text : undefined;
}

export function parseRoomId(text: string): RoomId | undefined {
  return isRoomId(text) ? text : undefined;
}

export function parseRoomAlias(text: string): RoomAlias | undefined {
  return isRoomAlias(text) ? text : undefined;
}

export function parseEventId(text: string): EventId | undefined {
  return isEventId(text) ? text : undefined;
}

/** What stands between the sigil and the first `:`, or the end where there is none. */
export function localpartOf(id: UserId | RoomId | RoomAlias): string {
  const colon = id.indexOf(":");
  return id.slice(1, colon === -1 ? undefined : colon);
}

/** The server name, port included; `undefined` only for a room ID that has none. */
export function domainOf(id: UserId | RoomAlias): string;
export function domainOf(id: UserId | RoomId | RoomAlias): string | undefined;
export function domainOf(id: string): string | undefined {
  const colon = id.indexOf(":");
  return colon === -1 ? undefined : id.slice(colon + 1);
}

function isIdentifier(text: string, sigil: string): boolean {
  // The cheap length test comes first, so that a huge string is never encoded.
  return (
    text.startsWith(sigil) &&
    text.length <= MAX_BYTES &&
    !text.includes("\0") &&
    text.isWellFormed() &&
    byteLength(text) <= MAX_BYTES
  );
}

function hasServer(text: string): boolean {
  const colon = text.indexOf(":");
  return colon !== -1 && isServerName(text.slice(colon + 1));
}
