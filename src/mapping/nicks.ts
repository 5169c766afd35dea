/**
 * Nicks of Matrix users in XMPP rooms, made of their display names: what resourceprep leaves as it is, in the strict
 * form that Prosody's rooms ask for (RFC 3920 appendix B, RFC 3454), and what looks like nobody else's.
 */
import { localpartOf, type UserId } from "../matrix/ids.ts";
import { newerCharacters } from "./newer-characters.ts";

/** Far below the 1023 bytes of a resource, since every line of a conversation begins with it. */
const longest = 80;

/** RFC 3454 tables B.1 and C.1.2 to C.9, of what NFKC leaves, and what cannot be seen. */
const dropped =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u1806\u2800\u2ff0-\u2ffb\ufe73\ufffc\ufffd]/gu;

/** RFC 3454 table D.1, of what NFKC leaves. */
const toLeft =
  "\\u05be\\u05c0\\u05c3\\u05d0-\\u05f4\\u061b\\u061f\\u0621-\\u064a\\u066d-\\u066f\\u0671-\\u06d5" +
  "\\u06e5\\u06e6\\u06fa-\\u070d\\u0710\\u0712-\\u072c\\u0780-\\u07a5\\u07b1";
const isToLeft = new RegExp(`[${toLeft}]`, "u");
const allToLeft = new RegExp(`[${toLeft}]`, "gu");
/** What may stand between letters that run to the left: nothing that runs to the right itself. */
const notAmongThem = new RegExp(
  `[^${toLeft} ._'0-9\\u0591-\\u05c4\\u064b-\\u0655\\u0660-\\u0669\\u0670\\u06d6-\\u06dc\\u06f0-\\u06f9\\u07a6-\\u07b0-]`,
  "gu",
);
const endsToLeft = new RegExp(`^[^${toLeft}]+|[^${toLeft}]+$`, "gu");

/** RFC 3454 §6: no letters of both directions, and those that run to the left first and last. */
function inOneDirection(text: string): string {
  const first = /\p{L}/u.exec(text)?.[0];
  if (first === undefined || !isToLeft.test(first)) return text.replace(allToLeft, "");
  return text.replace(notAmongThem, "").replace(endsToLeft, "");
}

const tidy = (text: string): string => text.replace(/\p{Z}+/gu, " ").trim();

const shorten = (text: string, most: number): string => {
  if (text.length <= most) return text;
  const clusters = new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text.slice(0, 16 * most));
  let kept = "";
  for (const { segment } of clusters) {
    if (kept.length + segment.length > most) break;
    kept += segment;
  }
  return kept;
};

const cleaned = (text: string): string =>
  tidy(
    inOneDirection(text.toWellFormed().normalize("NFKC").replace(dropped, "").replace(newerCharacters, "")),
  );

/** The text as a nick, "" where nothing of it can be said. */
function toNick(text: string, most = longest): string {
  let nick = shorten(cleaned(text.slice(0, 4096)), most);
  // What is taken out may let its neighbours join, which makes another character of them.
  for (let last = ""; last !== nick; ) {
    last = nick;
    nick = cleaned(nick);
  }
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(nick) ? nick : "";
}

/** Characters that look like Latin letters, each before the one that it is taken for. */
const twins = new Map(
  "аa еe оo рp сc хx уy іl јj ѕs ԁd һh кk мm тt вb αa εe οo ρp τt υu νv κk ιl χx 0o 1l |l il"
    .split(" ")
    .map(([twin = "", letter = ""]) => [twin, letter]),
);

/** The same for nicks that people may take for each other. */
export const lookOf = (nick: string): string =>
  Array.from(
    nick
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[\p{Default_Ignorable_Code_Point}\p{Z}]/gu, ""),
    (letter) => twins.get(letter) ?? letter,
  ).join("");

/** Whether it stays as it is on its way through servers. */
export const isNick = (text: string): boolean => text !== "" && toNick(text) === text;

/** Whether there is anything to see of it. */
export const isVisible = (text: string): boolean =>
  /[\p{L}\p{N}\p{P}\p{S}]/u.test(text.replace(/[\p{Default_Ignorable_Code_Point}\u2800]/gu, ""));

export interface Named {
  displayName: string | undefined;
  userId: UserId;
}

/** Room for what is put behind a name that is taken. */
const suffixRoom = 24;

/** Nicks for somebody, the best first, without end. */
export function* nicksFor({ displayName, userId }: Named): Generator<string, never> {
  const localpart = toNick(localpartOf(userId), suffixRoom) || "someone";
  const name = toNick(displayName ?? "") || localpart;
  yield name;
  // Nothing that runs to the right may follow letters that run to the left.
  const base = isToLeft.test(name) ? localpart : shorten(name, longest - 2 * suffixRoom).trim();
  yield base === localpart ? `${localpart} 2` : `${base} (${localpart})`;
  for (let number = 3; ; number += 1) yield `${base} ${number}`;
}

/** @param taken whether somebody in the room has the nick, or one that looks like it (`lookOf`). */
export function nickFor({ taken, ...named }: Named & { taken(nick: string): boolean }): string {
  for (const nick of nicksFor(named)) if (!taken(nick)) return nick;
  throw new Error("there is always another nick");
}

/** Whether it is one of the first that the name gives. */
export function isNickOf(nick: string, named: Named): boolean {
  let left = 20;
  for (const candidate of nicksFor(named)) {
    if (candidate === nick) return true;
    left -= 1;
    if (left === 0) return false;
  }
  return false;
}
