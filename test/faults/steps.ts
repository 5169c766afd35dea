/** The steps of a message's way at which the fault suite kills the bridge; crash-point.ts finds them in the running process. */

/** Both ways, in their order. Between two of them nothing changes but memory, so a kill there is a kill at one of them. */
export const steps = {
  toXmpp: [
    "a transaction has come",
    "an event is stored, before the commit",
    "an event is stored, after the commit",
    "a transaction is answered",
    "a ghost enters a room",
    "a ghost has entered a room",
    "a stanza goes to Prosody",
    "Prosody has answered",
    "a job is done, before the commit",
    "a job is done, after the commit",
  ],
  toMatrix: [
    "a callback has come",
    "a stanza is stored, before the commit",
    "a stanza is stored, after the commit",
    "a callback is answered",
    "a ghost is registered",
    "a room is asked for",
    "a room is made",
    "an event goes to the homeserver",
    "the homeserver has answered",
    "a message is remembered, before the commit",
    "a message is remembered, after the commit",
  ],
} as const;

export type Step = (typeof steps)["toXmpp" | "toMatrix"][number];

/** Environment variable for crash-point.ts: the number of the occurrence, a space, and the step. */
export const crashVariable = "FAULT_CRASH_AT";
