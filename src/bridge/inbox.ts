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
import type { RoomStates } from "./room-state.ts";
import type { Secrets } from "./secrets.ts";
import type { Signals } from "./signals.ts";
import type { Traffic } from "./traffic.ts";

export interface InboxDeps {
  store: Pick<Store, "transactions" | "lanes">;
  fromMatrix: FromMatrix;
  fromXmpp: FromXmpp;
  /** Of rooms; the first one that a stanza concerns has it. */
  traffic: readonly Traffic[];
  roomStates: RoomStates;
  presence: Presence;
  signals: Pick<Signals, "hear" | "accepted" | "noteMember">;
  secrets: Secrets;
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
  const { store, fromMatrix, fromXmpp, traffic, roomStates, presence, signals, secrets } = deps;
  const { xmpp, catchUp, onStored, newId, log } = deps;
  const routeOf = (stanza: Element): Traffic | undefined =>
    traffic.find((candidate) => candidate.concerns(stanza));

  const keep = async (stanza: Element, lane: string, cause: string): Promise<void> => {
    await store.lanes.add([{ lane, cause, work: { kind: "stanza", xml: serialize(stanza) } }]);
    log.info("accepted from XMPP", { cause, lane, id: stanza.attrs.id });
    onStored([lane]);
  };

  /** What breaks here would break here again, so it is stored, and parked when it breaks in its lane. */
  const orStored = (look: () => boolean): boolean => {
    try {
      return look();
    } catch (error) {
      log.error("could not see what this is, so it is stored", { error });
      return true;
    }
  };
  const isWorthStoring = (event: MatrixEvent): boolean =>
    orStored(() => {
      roomStates.note(event);
      return fromMatrix.matters(event);
    });

  const jobsOf = async (events: readonly MatrixEvent[]): Promise<EventJob[]> => {
    const storable = await Promise.all(events.filter(isWorthStoring).map(secrets.hideInEvent));
    return storable.map((event) => ({
      lane: `matrix ${event.room_id}`,
      cause: event.event_id,
      work: { kind: "event", event },
    }));
  };

  const acceptNext = async (job: Job, events: readonly MatrixEvent[]): Promise<void> => {
    const jobs = await jobsOf(events);
    if (jobs.length === 0) return;
    const fresh = await store.transactions.acceptNext(job, jobs);
    for (const { cause, lane } of fresh) log.info("accepted from Matrix, by asking for it", { cause, lane });
    onStored(fresh.map(({ lane }) => lane));
  };

  return {
    async acceptTransaction({ id, digest, events }) {
      const jobs = await jobsOf(events);
      const unsure = catchUp.takeUnsure(jobs.map(({ work }) => work.event.room_id));
      const fresh = await store.transactions.accept({ id, digest, jobs, unsure }).catch((error) => {
        catchUp.giveBack(unsure);
        throw error;
      });
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
      const route = routeOf(stanza);
      if (route) {
        const lane = route.laneOf(stanza);
        if (lane !== undefined) await keep(stanza, lane, newId());
        return;
      }
      // What is worth something only now is neither stored nor waited for.
      if (!presence.isLasting(stanza)) signals.hear(stanza);
      if (stanza.name === "presence" && !presence.isLasting(stanza)) {
        presence.handle(stanza).catch((error) => log.info("presence was not answered", { from, to, error }));
        return;
      }
      if (stanza.name === "message" && !orStored(() => fromXmpp.matters(stanza))) return;
      const cause = newId();
      const lane = `xmpp ${bareOf(from as Jid)} ${bareOf(to as Jid)}`;
      await keep(stanza.name === "message" ? secrets.hideInMessage(stanza, cause) : stanza, lane, cause);
    },

    async handle(job, mayRepeat) {
      const { work, cause, acceptedAt } = job;
      switch (work.kind) {
        case "event": {
          const event = secrets.eventOf(cause) ?? work.event;
          await acceptNext(job, await fromMatrix.handle(event, mayRepeat));
          if (event.type === "m.room.member") await signals.noteMember(event);
          return secrets.forget(cause);
        }
        case "catch-up":
          return acceptNext(job, await fromMatrix.catchUp(work.roomId, work.after));
        case "stanza": {
          const stanza = parseStanza(work.xml);
          const route = routeOf(stanza);
          if (route) return route.onStanza(stanza, { cause, mayRepeat, acceptedAt });
          if (stanza.name === "presence") await presence.handle(stanza);
          else await fromXmpp.handle(secrets.messageOf(cause) ?? stanza, { cause, mayRepeat, acceptedAt });
          signals.accepted(stanza);
          return secrets.forget(cause);
        }
        case "notice":
          await fromXmpp.sendOnce(work, work.content, { cause, mayRepeat: mayRepeat || work.rare === true });
          return;
        case "bounce":
          await xmpp.send(parseStanza(work.xml));
      }
    },
  };
}
