/** Asking a room to let somebody of ours in, or to call them something else, and hearing what it says to that. */
import { NoAnswerError } from "../http/client.ts";
import { type OccupantPresence, readOccupantPresence } from "../mapping/muc-presence.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, fullJid, type Jid } from "../xmpp/jid.ts";
import { type Element, readError, xml } from "../xmpp/stanza.ts";

export interface EntrancesDeps {
  xmpp: Pick<XmppClient, "send">;
  newId(): string;
  /** How long a room of another server may take. */
  timeoutMs?: number;
}

export interface Entrances {
  /**
   * Sends presence to `muc/nick`; resolves with the own presence as the room gives it out.
   * @throws StanzaRefusedError, also where nothing comes in time; RestError or NoAnswerError, also where it is abandoned.
   */
  ask(muc: BareJid, from: FullJid, nick: string, children: Element[]): Promise<OccupantPresence>;
  /** To be called with each presence of a room the moment that it comes. */
  hear(stanza: Element): void;
  /** What is waited for will not come, and nobody has refused it. */
  abandon(): void;
  /** As `abandon`, for what is asked from now on, too. */
  close(): void;
}

interface Waiting {
  id: string;
  resolve(presence: OccupantPresence): void;
  reject(error: unknown): void;
}

/** XEP-0045 §15.6.3: it is the receiver's own. */
export const selfPresence = 110;

/** The condition with which nobody but time has refused. */
export const unanswered = "remote-server-timeout";
const abandoned = () => new NoAnswerError("ABANDONED", true, undefined);
const noAnswer = () => new StanzaRefusedError({ type: "wait", condition: unanswered });

export function createEntrances({ xmpp, newId, timeoutMs = 30_000 }: EntrancesDeps): Entrances {
  const waiting = new Map<string, Waiting>();
  let isClosed = false;
  const keyOf = (muc: BareJid, to: string): string => `${muc} ${to}`;

  const abandon = (): void => {
    for (const { reject } of waiting.values()) reject(abandoned());
  };

  return {
    async ask(muc, from, nick, children) {
      if (isClosed) throw abandoned();
      const [id, key] = [newId(), keyOf(muc, from)];
      let timer: NodeJS.Timeout | undefined;
      const answer = new Promise<OccupantPresence>((resolve, reject) => {
        waiting.set(key, { id, resolve, reject });
        timer = setTimeout(() => reject(noAnswer()), timeoutMs);
      });
      // Prosody may refuse in its answer to the request, and others some time later.
      answer.catch(() => undefined);
      try {
        await xmpp.send(xml("presence", { from, to: fullJid(muc, nick), id }, ...children));
        return await answer;
      } finally {
        clearTimeout(timer);
        if (waiting.get(key)?.id === id) waiting.delete(key);
      }
    },

    hear(stanza) {
      const { from, to, id, type } = stanza.attrs;
      const found = waiting.get(keyOf(bareOf(from as Jid), to));
      if (!found || stanza.name !== "presence") return;
      if (type === "error") {
        if (id === found.id) found.reject(new StanzaRefusedError(readError(stanza)));
        return;
      }
      const presence = readOccupantPresence(stanza);
      if (presence && !presence.isUnavailable && presence.statuses.has(selfPresence)) found.resolve(presence);
    },

    abandon,
    close() {
      isClosed = true;
      abandon();
    },
  };
}
