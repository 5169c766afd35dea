/** Accepts from both edges what has to be delivered, and knows what each stored job asks for. */
import type { MatrixEvent } from "../matrix/event.ts";
import type { Log } from "../ops/log.ts";
import type { EventJob, Job, Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { bareOf, type Jid, parseJid } from "../xmpp/jid.ts";
import { type Element, parseStanza, StanzaSyntaxError, serialize } from "../xmpp/stanza.ts";
import type { CatchUp } from "./catch-up.ts";
import type { FromMatrix } from "./from-matrix.ts";
import type { FromXmpp } from "./from-xmpp.ts";
import type { Presence } from "./presence.ts";

export interface InboxDeps {
  store: Pick<Store, "transactions" | "lanes">;
  fromMatrix: FromMatrix;
  fromXmpp: FromXmpp;
  presence: Presence;
  xmpp: XmppClient;
  catchUp: CatchUp;
  /** Called with the lanes that have got something new, once it is on disk. */
  onStored: (lanes: string[]) => void;
  newId: () => string;
  log: Log;
}

export interface Inbox {
  acceptTransaction(transaction: { id: string; digest: string; events: MatrixEvent[] }): Promise<void>;
  receiveStanza(stanza: Element): Promise<void>;
  handle(job: Job, mayRepeat: boolean): Promise<void>;
}

export function createInbox(deps: InboxDeps): Inbox {
  const { store, fromMatrix, fromXmpp, presence, xmpp, catchUp, onStored, newId, log } = deps;
  const jobsOf = (events: readonly MatrixEvent[]): EventJob[] =>
    events.filter(fromMatrix.matters).map((event) => ({
      lane: `matrix ${event.room_id}`,
      cause: event.event_id,
      work: { kind: "event", event },
    }));

  const acceptNext = async (job: Job, events: readonly MatrixEvent[]): Promise<void> => {
    const jobs = jobsOf(events);
    if (jobs.length === 0) return;
    const fresh = await store.transactions.acceptNext(job, jobs);
    for (const { cause, lane } of fresh) log.info("accepted from Matrix, by asking for it", { cause, lane });
    onStored(fresh.map(({ lane }) => lane));
  };

  return {
    async acceptTransaction({ id, digest, events }) {
      const jobs = jobsOf(events);
      const unsure = catchUp.takeUnsure(jobs.map(({ work }) => work.event.room_id));
      const fresh = await store.transactions.accept({ id, digest, jobs, unsure });
      for (const { cause, lane } of fresh) log.info("accepted from Matrix", { cause, lane, txn: id });
      if (fresh.length < jobs.length) {
        log.info("left out events that came before", { txn: id, events: jobs.length - fresh.length });
      }
      onStored(fresh.map(({ lane }) => lane));
    },

    async receiveStanza(stanza) {
      const { from, to } = stanza.attrs;
      if (parseJid(from ?? "") === undefined || parseJid(to ?? "") === undefined) {
        throw new StanzaSyntaxError("a stanza needs a valid `from` and `to`");
      }
      if (stanza.name === "presence" && !presence.isLasting(stanza)) {
        // Worth something only now, so it is neither stored nor waited for.
        presence.handle(stanza).catch((error) => log.info("presence was not answered", { from, to, error }));
        return;
      }
      if (stanza.name === "message" && !fromXmpp.matters(stanza)) return;
      const cause = newId();
      const lane = `xmpp ${bareOf(from as Jid)} ${bareOf(to as Jid)}`;
      await store.lanes.add([{ lane, cause, work: { kind: "stanza", xml: serialize(stanza) } }]);
      log.info("accepted from XMPP", { cause, lane, id: stanza.attrs.id });
      onStored([lane]);
    },

    async handle(job, mayRepeat) {
      const { work, cause } = job;
      switch (work.kind) {
        case "event":
          return acceptNext(job, await fromMatrix.handle(work.event));
        case "catch-up":
          return acceptNext(job, await fromMatrix.catchUp(work.roomId, work.after));
        case "stanza": {
          const stanza = parseStanza(work.xml);
          if (stanza.name === "presence") return presence.handle(stanza);
          return fromXmpp.handle(stanza, { cause, mayRepeat });
        }
        case "notice":
          return fromXmpp.sendOnce(work, work.content, { cause, mayRepeat });
        case "bounce":
          await xmpp.send(parseStanza(work.xml));
      }
    },
  };
}
