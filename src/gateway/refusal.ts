/** Why somebody may not enter a hosted room: XEP-0045 1.35 §7.2, "Entering a Room". */
import { failureOf } from "../bridge/failure.ts";
import { isVisible } from "../mapping/nicks.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { StanzaError } from "../xmpp/stanza.ts";

export class EntryRefusal extends Error {
  override readonly name = "EntryRefusal";
  readonly error: StanzaError;
  /** Where to go instead. */
  readonly elsewhere: BareJid | undefined;
  constructor(type: string, condition: string, text: string, elsewhere?: BareJid) {
    super(text);
    this.error = { type, condition, text };
    this.elsewhere = elsewhere;
  }
}

const longestNick = 200;

/** @throws EntryRefusal for what nobody could be called in a room. */
export function checkNick(nick: string): void {
  if (nick === "") throw new EntryRefusal("modify", "jid-malformed", "There is no nick.");
  if (nick.length > longestNick || !isVisible(nick))
    throw new EntryRefusal("modify", "not-acceptable", "This cannot be a nick.");
}

/** Nobody waits longer for being let in. */
const patienceMs = 60_000;

/** @returns undefined where trying again may help, and is worth it. */
export function refusalOf(error: unknown, waitedMs: number): EntryRefusal | undefined {
  if (error instanceof EntryRefusal) return error;
  if (error instanceof MatrixError && error.status === 429) {
    return new EntryRefusal(
      "wait",
      "resource-constraint",
      "The homeserver has too much to do; try again later.",
    );
  }
  const { retry, type, condition, sentence } = failureOf(error);
  if (retry && waitedMs < patienceMs) return undefined;
  return retry
    ? new EntryRefusal("wait", "remote-server-timeout", "The homeserver does not answer; try again later.")
    : new EntryRefusal(type, condition, sentence);
}
