/** What becomes of an event on its way to XMPP. */
import type { StoredMessage } from "../store/message-records.ts";
import type { Element } from "../xmpp/stanza.ts";

export type Crossing =
  | {
      kind: "stanzas";
      stanzas: Element[];
      /** To be called once they are sent. */
      sent?: () => Promise<void>;
    }
  /** Somebody removes what another has written in an XMPP room that is not the bridge's. */
  | { kind: "moderation"; parts: StoredMessage[]; reason: string | undefined }
  | { kind: "nothing"; why: string }
  | { kind: "refused"; sentence: string; isRare?: boolean };

export const nothing = (why: string): Crossing => ({ kind: "nothing", why });
