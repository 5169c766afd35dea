/** What a process that does not lead takes at its edges: stored here what it can judge by itself, passed on what it cannot. */
import type { Cluster } from "../cluster/cluster.ts";
import { readTyping } from "../mapping/chat-states.ts";
import { readWord } from "../mapping/receipts.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import { bareOf, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, parseStanza, serialize, xml } from "../xmpp/stanza.ts";
import { checkAddresses, type Inbox, ownLane } from "./inbox.ts";
import { createLocks } from "./locks.ts";
import type { PlainlyDirect } from "./plainly-direct.ts";

export interface FollowerDeps {
  cluster: Pick<Cluster, "ask" | "tell">;
  store: Pick<Store, "directRooms" | "guests" | "links">;
  isOurs(userId: UserId): boolean;
  inbox: Pick<Inbox, "storeTransaction" | "receiveStanza">;
  plain: Pick<PlainlyDirect, "isStanza">;
  newId: () => string;
  log: Log;
}

/** A stanza that is passed on, and by what it is known if it is passed on again. */
export interface PassedOn {
  xml: string;
  cause: string;
}

/** What became of it: a refusal is a stanza for its sender. */
export interface Taken {
  refusal?: string | undefined;
  error?: string;
}

interface Batch {
  stanzas: PassedOn[];
  taken: Promise<Taken[]>;
}

const senderOf = ({ attrs: { from = "" } }: Element): string => bareOf(from as Jid);

/** Stanzas that are passed on together. */
const mostTogether = 100;

export interface Follower extends Pick<Inbox, "acceptTransaction" | "receiveStanza"> {
  /** Whether something of its sender is under way, which it has to wait for even where this process leads by now. */
  isBehind(stanza: Element): boolean;
  /** Has the process that leads hear what a message says besides its words. */
  hear(message: Element): void;
}

/** What lasts of a room, and what takes some of that away. */
const isOfState = (event: MatrixEvent): boolean =>
  event.state_key !== undefined || referencesOfEvent(event).redacts !== undefined;

const beside: ReadonlySet<string | undefined> = new Set([NS.chatStates, NS.receipts, NS.chatMarkers]);

/** A message without its words; undefined where nothing is left that anybody would hear. */
function wordless(message: Element): Element | undefined {
  if (readTyping(message) === undefined && readWord(message) === undefined) return undefined;
  const said = message
    .getChildElements()
    .filter((child) => beside.has(child.getNS()))
    .map(copyOf);
  const body = message.getChild("body") ? [xml("body", {})] : [];
  const { type, from, to } = message.attrs;
  return xml("message", { ...(type && { type }), from, to }, ...body, ...said);
}

export function createFollower(deps: FollowerDeps): Follower {
  const { cluster, store, isOurs, inbox, plain, newId, log } = deps;
  /** What one address says to another one stays in order while something is looked up. */
  const order = createLocks();

  /** Whether what is ours in a room comes from XMPP, and is for nobody there. */
  const isEchoing = async (roomId: RoomId): Promise<boolean> => {
    if (await store.links.ofRoom(roomId)) return true;
    const isDirect = (await store.directRooms.ofRoom(roomId)) !== undefined;
    return isDirect && (await store.guests.ofRoom(roomId)).length === 0;
  };

  /** How many stanzas of a sender are not stored yet. */
  const underWay = new Map<string, number>();
  const count = (sender: string, more: number): void => {
    const left = (underWay.get(sender) ?? 0) + more;
    if (left > 0) underWay.set(sender, left);
    else underWay.delete(sender);
  };
  const passing = createLocks();
  /** Of each sender what is passed on next, once what went before has been answered: it may have to be asked again. */
  const next = new Map<string, Batch>();
  const batchOf = (sender: string): Batch => {
    const open = next.get(sender);
    if (open && open.stanzas.length < mostTogether) return open;
    const stanzas: PassedOn[] = [];
    const taken = passing.run(sender, async () => {
      if (next.get(sender) === batch) next.delete(sender);
      return (await cluster.ask("stanzas", stanzas)) as Taken[];
    });
    const batch = { stanzas, taken };
    next.set(sender, batch);
    return batch;
  };
  const passOn = async (stanza: Element, cause: string): Promise<Element | undefined> => {
    const { stanzas, taken } = batchOf(senderOf(stanza));
    const place = stanzas.push({ xml: serialize(stanza), cause }) - 1;
    const { refusal, error } = (await taken)[place] ?? {};
    if (error !== undefined) throw new Error(error);
    return refusal === undefined ? undefined : parseStanza(refusal);
  };

  return {
    async acceptTransaction({ events, ...transaction }) {
      const withOurs = new Set(events.filter(({ sender }) => isOurs(sender)).map(({ room_id }) => room_id));
      const echoing = new Map(
        await Promise.all([...withOurs].map(async (roomId) => [roomId, await isEchoing(roomId)] as const)),
      );
      // Ahead of the jobs, so that whoever does one knows the room as it was by then.
      const news = events.filter(isOfState);
      if (news.length > 0) await cluster.tell("lead", "events", news);
      const worthStoring = events.filter(({ sender, room_id }) => !isOurs(sender) || !echoing.get(room_id));
      await inbox.storeTransaction({ ...transaction, events: worthStoring });
    },

    async receiveStanza(stanza, cause = newId()) {
      checkAddresses(stanza);
      const sender = senderOf(stanza);
      count(sender, 1);
      try {
        const isPlain = await order.run(ownLane(stanza), () => plain.isStanza(stanza));
        return await (isPlain ? inbox.receiveStanza(stanza, cause) : passOn(stanza, cause));
      } finally {
        count(sender, -1);
      }
    },

    isBehind: (stanza) => underWay.has(senderOf(stanza)),

    hear(message) {
      const rest = wordless(message);
      if (!rest) return;
      cluster
        .tell("lead", "hear", serialize(rest))
        .catch((error) => log.info("what a message says besides its words was not passed on", { error }));
    },
  };
}
