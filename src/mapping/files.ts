/**
 * Files: m.image, m.video, m.audio, m.file and captions (Client-Server API v1.15 §11.2.1), voice messages (MSC3245)
 * and m.sticker <-> XEP-0447 Stateless File Sharing 0.3.1 with XEP-0446 0.2.0, XEP-0385 SIMS 0.2.1, XEP-0066 1.5.
 */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import { isServerName } from "../matrix/ids.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { fileNameOf, mediaTypeOf, withExtension } from "./file-names.ts";

/** What is said of a file beside what is in it. */
export interface FileFacts {
  type?: string | undefined;
  size?: number | undefined;
  width?: number | undefined;
  height?: number | undefined;
  durationMs?: number | undefined;
}

export interface MatrixFile extends FileFacts {
  /** An mxc:// URI. */
  mxc: string;
  name: string;
  caption: string | undefined;
  /** To be shown in the conversation, and not just offered. */
  isInline: boolean;
}

export type FileCrossing =
  | { kind: "stanzas"; stanzas: Element[] }
  /** It cannot cross, and the sender is to be told in these words. */
  | { kind: "refused"; sentence: string };

interface Head {
  from: Jid;
  to: Jid;
  type?: "chat" | "groupchat";
  /** The event's where it is left out. */
  id?: string;
}

const kinds: Record<string, string> = {
  "m.image": "image",
  "m.video": "video",
  "m.audio": "audio",
  "m.file": "file",
  "m.sticker": "sticker",
};

const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;

/** `undefined` for what is no address of media. */
export function parseMxc(mxc: string): { server: string; mediaId: string } | undefined {
  const [, server, mediaId] = /^mxc:\/\/([^/]{1,255})\/([A-Za-z0-9_-]{1,255})$/.exec(mxc) ?? [];
  return server && mediaId && isServerName(server) ? { server, mediaId } : undefined;
}

const isVoice = (content: Content): boolean =>
  isObject(content["org.matrix.msc3245.voice"]) || isObject(content["org.matrix.msc3245.voice.v2"]);

/**
 * The file that an event shares.
 * @returns "encrypted" where the bridge could not read it, undefined where there is none.
 */
function readMatrixFile({ type, content }: MatrixEvent): MatrixFile | "encrypted" | undefined {
  const msgtype = type === "m.room.message" ? readString(content, "msgtype") : type;
  const kind = msgtype !== undefined && Object.hasOwn(kinds, msgtype) ? kinds[msgtype] : undefined;
  if (kind === undefined) return undefined;
  if (isObject(content.file)) return "encrypted";
  const mxc = readString(content, "url");
  if (mxc === undefined || parseMxc(mxc) === undefined) return undefined;
  const info = isObject(content.info) ? content.info : {};
  const [body, filename] = [readString(content, "body"), readString(content, "filename")];
  const mediaType = mediaTypeOf(readString(info, "mimetype"));
  const isCaptioned = filename !== undefined && filename !== body && kind !== "sticker";
  // COMPAT(Element Web): the body of each of its voice messages.
  const isEmptyCaption = isVoice(content) && body === "Voice message";
  return {
    mxc,
    name: withExtension(fileNameOf(filename ?? body ?? "") ?? kind, mediaType),
    caption: isCaptioned && !isEmptyCaption ? body?.trim() || undefined : undefined,
    isInline: kind !== "file",
    type: mediaType,
    size: count(info.size),
    width: count(info.w),
    height: count(info.h),
    durationMs: count(info.duration),
  };
}

const field = (name: string, value: string | number | undefined): Element[] =>
  value === undefined ? [] : [xml(name, {}, String(value))];

/**
 * The file as one message with nothing but its link in the body, as older clients want it, and its caption as another.
 * An error about the caption says no more than one about the file, so only the latter has the ID that errors go by.
 */
function fileStanzas(
  file: MatrixFile,
  url: string,
  { from, to, type = "chat", id }: Head & { id: string },
): Element[] {
  const message = (stanzaId: string, body: string, ...payloads: Element[]): Element =>
    xml(
      "message",
      { type, from, to, id: stanzaId },
      xml("body", {}, body),
      xml("origin-id", { xmlns: NS.stableId, id: stanzaId }),
      ...payloads,
    );
  const sharing = xml(
    "file-sharing",
    { xmlns: NS.fileSharing, disposition: file.isInline ? "inline" : "attachment" },
    xml(
      "file",
      { xmlns: NS.fileMetadata },
      ...field("media-type", file.type),
      ...field("name", file.name),
      ...field("size", file.size),
      ...field("width", file.width),
      ...field("height", file.height),
      ...field("length", file.durationMs),
    ),
    xml("sources", {}, xml("url-data", { xmlns: NS.urlData, target: url })),
  );
  return [
    message(
      id,
      url,
      xml("fallback", { xmlns: NS.fallback, for: NS.fileSharing }, xml("body")),
      sharing,
      xml("x", { xmlns: NS.outOfBand }, xml("url", {}, url)),
    ),
    ...(file.caption === undefined ? [] : [message(`caption-${id}`, file.caption)]),
  ];
}

/** Roughly, as people say it. */
const inMebibytes = (bytes: number): string => `${Math.round((10 * bytes) / 2 ** 20) / 10} MiB`;

/**
 * What an event that shares a file becomes; undefined where it shares none.
 * @param media where its bytes will be found, and how many they may be.
 */
export function fileToStanzas(
  event: MatrixEvent,
  head: Head,
  media: { linkOf(file: { mxc: string; name: string }): string; maxBytes: number },
): FileCrossing | undefined {
  const file = readMatrixFile(event);
  if (file === undefined) return undefined;
  if (file === "encrypted") {
    return {
      kind: "refused",
      sentence: "The bridge cannot read encrypted files; send it in a room without encryption.",
    };
  }
  if (file.size !== undefined && file.size > media.maxBytes) {
    const sentence = `The file is larger than the ${inMebibytes(media.maxBytes)} that the bridge carries.`;
    return { kind: "refused", sentence };
  }
  return { kind: "stanzas", stanzas: fileStanzas(file, media.linkOf(file), { id: event.event_id, ...head }) };
}

/** A file as it is known once its bytes are in the media repository. */
export interface StoredFile extends FileFacts {
  mxc: string;
  name: string;
  type: string;
  /** Its picture can be shown; what only calls itself an image is a file. */
  isImage: boolean;
  isVoice: boolean;
  description: string | undefined;
}

function msgtypeOf({ type, isImage }: StoredFile): string {
  if (isImage) return "m.image";
  if (type.startsWith("video/")) return "m.video";
  return type.startsWith("audio/") ? "m.audio" : "m.file";
}

/** The content of the m.room.message for a file. */
export function fileContent(file: StoredFile): Content {
  const { mxc, name, type, size, width, height, durationMs, description } = file;
  return {
    msgtype: msgtypeOf(file),
    body: description || name,
    filename: name,
    url: mxc,
    info: {
      mimetype: type,
      ...(size !== undefined && { size }),
      ...(width !== undefined && { w: width }),
      ...(height !== undefined && { h: height }),
      ...(durationMs !== undefined && { duration: durationMs }),
    },
    ...(file.isVoice && {
      "org.matrix.msc3245.voice": {},
      "org.matrix.msc1767.audio": { ...(durationMs !== undefined && { duration: durationMs }) },
    }),
  };
}

/** What stands for a file that was not copied. */
export function linkContent(
  file: { url: string; description?: string | undefined },
  reason?: string,
): Content {
  const { url, description } = file;
  const lines = [description, url, reason && `(not copied: ${reason})`];
  return { msgtype: "m.text", body: lines.filter(Boolean).join("\n") };
}
