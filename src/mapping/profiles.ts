/**
 * Names and faces: profiles (Client-Server API v1.15, "Profiles") <-> nicknames (XEP-0172 1.1), vcard-temp (XEP-0054
 * 1.2), vCard4 (XEP-0292 0.12) and the avatar's hash in presence (XEP-0153 1.1).
 */
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";

const longest = 100;

/** Controls, what turns the direction of text round, and what takes no room: none of it belongs in a name. */
const invisible =
  /[\p{Cc}\p{Zl}\p{Zp}\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]/gu;

const visible = (name: string): string => xmlSafe(name.replace(/\s/g, " ").replace(invisible, ""));

/** An address of either network; with the look-alikes of `@` and `:`. */
const address = /\S[@\ufe6b\uff20]\S|[@\ufe6b\uff20]\S+[:\ufe55\uff1a]\S/u;

/**
 * The name under which an XMPP user shows on Matrix.
 * @returns the JID where the name is empty, or could be taken for the address of somebody else.
 */
export function nameOf(name: string | undefined, jid: BareJid): string {
  const plain = visible(name ?? "")
    .normalize("NFC")
    .replace(/ +/g, " ")
    .trim();
  const short = [...plain].slice(0, longest).join("").trim();
  return short === "" || address.test(short) ? jid : short;
}

/** A name as XMPP users see it beside an address that tells the truth. */
export function toNick(name: string): Element {
  return xml("nick", { xmlns: NS.nick }, [...visible(name).trim()].slice(0, longest).join(""));
}

export const readNick = (stanza: Element): string | undefined =>
  readChild(stanza, NS.nick, "nick")?.getText().trim() || undefined;

/** @param hash SHA-1 in hex; "" where there is no picture, undefined where that is not known (yet). */
export const toPhotoHash = (hash: string | undefined): Element =>
  xml("x", { xmlns: NS.vcardUpdate }, ...(hash === undefined ? [] : [xml("photo", {}, hash)]));

/** @returns "" where they say that they have no picture, undefined where they say nothing. */
export function readPhotoHash(presence: Element): string | undefined {
  const hash = readChild(presence, NS.vcardUpdate, "x")?.getChild("photo")?.getText().trim().toLowerCase();
  return hash === "" || (hash && /^[0-9a-f]{40}$/.test(hash)) ? hash : undefined;
}

/** 1 MiB, as base64. */
const mostBase64 = 1_400_000;

function bytesOf(base64: string | null | undefined): Buffer | undefined {
  if (!base64 || base64.length > mostBase64) return undefined;
  const bytes = Buffer.from(base64.replace(/\s/g, ""), "base64");
  return bytes.length > 0 ? bytes : undefined;
}

export interface Card {
  name: string | undefined;
  photo: Buffer | undefined;
}

/** A picture elsewhere (`EXTVAL`) is left alone: nobody is to make the bridge fetch things. */
export function readVcard(vcard: Element): Card {
  const textOf = (name: string): string | undefined => vcard.getChildText(name)?.trim() || undefined;
  return {
    name: textOf("NICKNAME") ?? textOf("FN"),
    photo: bytesOf(vcard.getChild("PHOTO")?.getChildText("BINVAL")),
  };
}

export function readVcard4(vcard: Element): string | undefined {
  const textOf = (name: string): string | undefined =>
    vcard.getChild(name)?.getChildText("text")?.trim() || undefined;
  return textOf("nickname") ?? textOf("fn");
}

/** The ID of the avatar's data in XEP-0084 1.1.4, that of a picture which is in there and not too large. */
export function readAvatarId(metadata: Element): string | undefined {
  const infos = metadata.getChildren("info").filter(({ attrs }) => attrs.url === undefined);
  const fits = infos.find(({ attrs }) => Number(attrs.bytes) <= 1024 * 1024);
  return typeof fits?.attrs.id === "string" ? fits.attrs.id : undefined;
}

export const readAvatarData = (data: Element): Buffer | undefined => bytesOf(data.getText());
