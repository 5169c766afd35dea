/** Accepts from both edges what has to be delivered, and knows what each stored job asks for. */
import type { MatrixEvent } from "../matrix/event.ts";
import type { Log } from "../ops/log.ts";
import type { EventJob, Job, Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { bareOf, parseJid } from "../xmpp/jid.ts";
import { type Element, errorReply, parseStanza, StanzaSyntaxError, serialize } from "../xmpp/stanza.ts";
import type { CatchUp } from "./catch-up.ts";
import type { FromMatrix } from "./from-matrix.ts";
import type { FromXmpp } from "./from-xmpp.ts";
import type { Presence } from "./presence.ts";
import { type Pushback, tooMuch } from "./pushback.ts";
import type { RoomStates } from "./room-state.ts";
import type { Secrets } from "./secrets.ts";
import type { Signals } from "./signals.ts";
import type { Traffic } from "./traffic.ts";

export interface InboxDeps {
  store: Pick<Store, "transactions">;
  pushback: Pick<Pushback, "add" | "noted">;
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
  newId: () => string;
  log: Log;
}

export interface TransactionOfEvents {
  id: string;
  digest: string;
  events: MatrixEvent[];
}

export interface Inbox {
  acceptTransaction(transaction: TransactionOfEvents): Promise<void>;
  /** Stores all of the transaction, whatever it is worth. */
  storeTransaction(transaction: TransactionOfEvents): Promise<void>;
  /** Takes in what events change of rooms. */
  note(events: readonly MatrixEvent[]): void;
  /**
   * @param cause a new one where none is given.
   * @returns the error for its sender, where it cannot be taken for now.
   */
  receiveStanza(stanza: Element, cause?: string): Promise<Element | undefined>;
  handle(job: Job, mayRepeat: boolean): Promise<void>;
}

/** Where a stanza waits, if it is kept, and whether it may be refused instead. */
interface Place {
  lane: string | undefined;
  mayRefuse: boolean;
}

/** @throws StanzaSyntaxError */
export const checkAddresses = ({ attrs: { from, to } }: Element): void => {
  if (parseJid(from ?? "") === undefined || parseJid(to ?? "") === undefined)
    throw new StanzaSyntaxError("a stanza needs a valid `from` and `to`");
};

/** Of what one address says to another one. */
export const ownLane = ({ attrs }: Element): string => `xmpp ${bareOf(attrs.from)} ${bareOf(attrs.to)}`;

export function createInbox(deps: InboxDeps): Inbox {
  const { store, pushback, fromMatrix, fromXmpp, traffic, roomStates, presence, signals, secrets } = deps;
  const { xmpp, catchUp, newId, log } = deps;
  const routeOf = (stanza: Element): Traffic | undefined =>
    traffic.find((candidate) => candidate.concerns(stanza));

  const keep = async (
    stanza: Element,
    lane: string,
    cause: string,
    mayRefuse: boolean,
  ): Promise<Element | undefined> => {
    const work = { kind: "stanza", xml: serialize(stanza) } as const;
    const isPersons = stanza.name === "message" && stanza.attrs.type !== "error";
    if (!(await pushback.add({ lane, cause, work }, mayRefuse && isPersons))) {
      secrets.forget(cause);
      return errorReply(stanza, tooMuch);
    }
    log.info("accepted from XMPP", { cause, lane, id: stanza.attrs.id });
    return undefined;
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
  /** Nothing but itself is lost with it, so what breaks here stops nothing. */
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.error("what it says beside its message was not taken", { error });
    }
  };

  /** Of a stanza that is for a room; undefined for any other. */
  const placeInRoom = (stanza: Element): Place | undefined => {
    try {
      const route = routeOf(stanza);
      return route && { lane: route.laneOf(stanza), mayRefuse: route.mayRefuse(stanza) };
    } catch (error) {
      log.error("could not see which room this is for, so it is stored", { error });
      return { lane: ownLane(stanza), mayRefuse: false };
    }
  };

  const worthStoring = (events: readonly MatrixEvent[]): MatrixEvent[] =>
    events.filter((event) => orStored(() => fromMatrix.matters(event)));
  const jobsOf = async (events: readonly MatrixEvent[]): Promise<EventJob[]> => {
    const storable = await Promise.all(events.map(secrets.hideInEvent));
    return storable.map((event) => ({
      lane: `matrix ${event.room_id}`,
      cause: event.event_id,
      work: { kind: "event", event },
    }));
  };

  const acceptNext = async (job: Job, events: readonly MatrixEvent[]): Promise<void> => {
    const jobs = await jobsOf(worthStoring(events));
    if (jobs.length === 0) return;
    const fresh = await store.transactions.acceptNext(job, jobs);
    for (const { cause, lane, work } of fresh) {
      log.info("accepted from Matrix, by asking for it", { cause, lane });
      // It may be older than what is known of the room.
      if (work.event.state_key !== undefined) roomStates.doubt(work.event.room_id);
      else attempt(() => roomStates.note(work.event));
    }
    pushback.noted(fresh.length);
  };

  const note = (events: readonly MatrixEvent[]): void => {
    for (const event of events) attempt(() => roomStates.note(event));
  };

  const storeTransaction = async ({ id, digest, events }: TransactionOfEvents): Promise<void> => {
    const jobs = await jobsOf(events);
    const unsure = catchUp.takeUnsure(jobs.map(({ work }) => work.event.room_id));
    const fresh = await store.transactions.accept({ id, digest, jobs, unsure }).catch((error) => {
      catchUp.giveBack(unsure);
      throw error;
    });
    // What came before says nothing of what was lost since.
    for (const { work } of fresh) unsure.delete(work.event.room_id);
    catchUp.giveBack(unsure);
    for (const { cause, lane } of fresh) log.info("accepted from Matrix", { cause, lane, txn: id });
    if (fresh.length < jobs.length) {
      log.info("left out events that came before", { txn: id, events: jobs.length - fresh.length });
    }
    pushback.noted(fresh.length);
  };

  return {
    note,
    storeTransaction,
    async acceptTransaction({ events, ...transaction }) {
      note(events);
      await storeTransaction({ ...transaction, events: worthStoring(events) });
    },

    async receiveStanza(stanza, cause = newId()) {
      const { from, to } = stanza.attrs;
      checkAddresses(stanza);
      const place = placeInRoom(stanza);
      if (place) {
        return place.lane === undefined ? undefined : keep(stanza, place.lane, cause, place.mayRefuse);
      }
      // What is worth something only now is neither stored nor waited for.
      if (!presence.isLasting(stanza)) attempt(() => signals.hear(stanza));
      if (stanza.name === "presence" && !presence.isLasting(stanza)) {
        presence.handle(stanza).catch((error) => log.info("presence was not answered", { from, to, error }));
        return undefined;
      }
      if (stanza.name === "message" && !orStored(() => fromXmpp.matters(stanza))) return undefined;
      const kept = stanza.name === "message" ? secrets.hideInMessage(stanza, cause) : stanza;
      // A room that the bridge is in no more would take it for an error of an occupant.
      return keep(kept, ownLane(stanza), cause, stanza.attrs.type !== "groupchat");
    },

    async handle(job, mayRepeat) {
      const { work, cause, acceptedAt } = job;
      switch (work.kind) {
        case "event": {
          const event = secrets.eventOf(cause) ?? work.event;
          // It may have been stored because nobody could tell.
          if (!fromMatrix.matters(event)) return secrets.forget(cause);
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
          attempt(() => signals.accepted(stanza));
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
