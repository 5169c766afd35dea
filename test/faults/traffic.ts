/** People on both sides who write to each other all the time, and what they remember of it. */
import { setTimeout as delay } from "node:timers/promises";
import type { FakeHomeserver } from "../support/fake-homeserver.ts";
import type { FakeProsody } from "../support/fake-prosody.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Arrival, Column } from "./ledger.ts";
import type { Random } from "./random.ts";

export interface TrafficDeps {
  homeserver: FakeHomeserver;
  prosody: FakeProsody;
  random: Random;
  /** How many pairs there are from the beginning. */
  conversations: number;
  /** How often somebody writes to a person whom they have not written to before. */
  newcomers?: number;
}

interface Conversation {
  n: number;
  juliet: ReturnType<FakeHomeserver["user"]>;
  romeo: ReturnType<FakeProsody["user"]>;
  julietJid: string;
  ghost: string;
  /** Once Juliet is in it. */
  room: string | undefined;
  sent: { toXmpp: string[]; toMatrix: string[] };
  /** The event of each message to XMPP, so as to know what a notice is about. */
  eventOf: Map<string, string>;
}

export type Traffic = ReturnType<typeof createTraffic>;

/** What the bridge says in a room when it gives a message up. */
const isNotice = ({ content }: { content: Record<string, unknown> }): boolean =>
  content.msgtype === "m.notice" && String(content.body).startsWith("Your message was not delivered");

const repliedTo = (content: Record<string, unknown>): string | undefined => {
  const relation = content["m.relates_to"] as { "m.in_reply_to"?: { event_id?: string } } | undefined;
  return relation?.["m.in_reply_to"]?.event_id;
};

export function createTraffic({
  homeserver,
  prosody,
  random,
  conversations,
  newcomers: share = 0.01,
}: TrafficDeps) {
  const all: Conversation[] = [];
  const underWay = new Set<Promise<void>>();
  /** What Prosody has handed over, or given back. */
  const settled = new Set<string>();
  let newcomers = true;
  let running: Promise<void> | undefined;
  let stopping = false;

  const meet = (): Conversation => {
    const n = all.length;
    const juliet = homeserver.user(`juliet${n}`);
    const romeo = prosody.user(`romeo${n}`);
    const made: Conversation = {
      n,
      juliet,
      romeo,
      julietJid: `juliet${n}%${homeserver.domain}@${prosody.component}`,
      ghost: `@${homeserver.userPrefix}romeo${n}=40${prosody.domain}:${homeserver.domain}`,
      room: undefined,
      sent: { toXmpp: [], toMatrix: [] },
      eventOf: new Map(),
    };
    all.push(made);
    return made;
  };

  /** Juliet enters what she is invited to, or makes the room herself where she is the first to write. */
  const enter = (conversation: Conversation, mayMake: boolean): string | undefined => {
    const { juliet, ghost } = conversation;
    for (const invitation of juliet.invites()) juliet.join(invitation);
    conversation.room ??= juliet.rooms()[0];
    if (!conversation.room && mayMake)
      conversation.room = juliet.createRoom({ is_direct: true, invite: [ghost] });
    return conversation.room;
  };

  /** Where both write first, each makes a room, and Juliet is sent to the other one: that is no fault's doing. */
  const mayWriteBack = ({ n, romeo }: Conversation): boolean => n % 2 === 0 || romeo.messages().length > 0;

  const toXmpp = (conversation: Conversation, more = ""): boolean => {
    const { n, juliet, sent, eventOf } = conversation;
    // Every second pair meets because Juliet writes first.
    const room = enter(conversation, n % 2 === 1);
    if (!room) return false;
    const body = `m${n}-${sent.toXmpp.length}${more}`;
    sent.toXmpp.push(body);
    eventOf.set(juliet.sendText(room, body), body);
    return true;
  };

  const toMatrix = (conversation: Conversation, more = ""): void => {
    const { n, romeo, julietJid, sent } = conversation;
    const body = `x${n}-${sent.toMatrix.length}${more}`;
    sent.toMatrix.push(body);
    const sending = romeo.sendText(julietJid, body, body).finally(() => {
      settled.add(body);
      underWay.delete(sending);
    });
    underWay.add(sending);
  };

  /** So many at once to Matrix, connections opened in their order and written to in another. */
  const burst = async (count: number): Promise<void> => {
    const { n, romeo, julietJid, sent } = random.pick(all.filter(mayWriteBack));
    const first = sent.toMatrix.length;
    const bodies = Array.from({ length: count }, (_, index) => `x${n}-${first + index}`);
    sent.toMatrix.push(...bodies);
    const order = random.shuffled(bodies.map((_, index) => index));
    await romeo.sendInDisorder(
      bodies.map((body) => romeo.chat(julietJid, body, body)),
      order,
    );
  };

  const one = (): void => {
    // Now and then two people meet who have not written to each other before.
    const conversation = newcomers && random.chance(share) ? meet() : random.pick(all);
    if (random.chance(0.5) && toXmpp(conversation)) return;
    if (mayWriteBack(conversation)) toMatrix(conversation);
    else toXmpp(conversation);
  };

  const ofConversation = (conversation: Conversation, mayDouble: number) => {
    const { n, romeo, ghost, sent, eventOf } = conversation;
    const events = homeserver.rooms.all().flatMap((room) => {
      const isTheirs = room.members.has(ghost);
      return isTheirs ? room.events.filter(({ sender }) => sender === ghost) : [];
    });
    const ofBody = (letter: string) => (body: string) => body.startsWith(`${letter}${n}-`);
    const [onXmpp, onMatrix]: [Arrival[], Arrival[]] = [
      romeo.messages().map((stanza) => ({
        id: String(stanza.attrs.id),
        body: String(stanza.getChildText("body")),
      })),
      events
        .filter((event) => event.type === "m.room.message" && !isNotice(event))
        .map(({ event_id: id, content }) => ({ id, body: String(content.body) })),
    ];
    const about = events.filter(isNotice).map(({ content }) => eventOf.get(repliedTo(content) ?? "") ?? "");
    const refused = romeo.errors().map(({ attrs }) => String(attrs.id));
    return {
      toXmpp: {
        name: `to XMPP: conversation ${n}`,
        sent: sent.toXmpp,
        told: new Set(about),
        arrived: onXmpp.filter(({ body }) => ofBody("m")(body)),
        mayDouble,
      },
      toMatrix: {
        name: `to Matrix: conversation ${n}`,
        sent: sent.toMatrix,
        told: new Set(refused.filter(ofBody("x"))),
        arrived: onMatrix.filter(({ body }) => ofBody("x")(body)),
        mayDouble: 0,
      },
    };
  };

  for (let n = 0; n < conversations; n += 1) meet();

  const stop = async (): Promise<void> => {
    stopping = true;
    await running;
    await Promise.all(underWay);
  };

  return {
    all,
    /** Two people write to each other for the first time. */
    meet(): void {
      const conversation = meet();
      if (!toXmpp(conversation)) toMatrix(conversation);
    },
    /** From now on nobody meets anybody new; resolves once those who are there have. */
    async settleDown(): Promise<void> {
      newcomers = false;
      const isMet = ({ ghost, room }: Conversation): boolean =>
        homeserver.rooms.all().some(({ id, members }) => id === room && members.get(ghost) === "join");
      await waitFor(() => all.every(isMet), "all to have met");
    },
    /** Whether the bridge has answered for it. */
    isTaken: (body: string): boolean => settled.has(body),
    toXmpp,
    toMatrix,
    burst,
    /** Writes about so many messages a second, both ways, until `stop`. */
    start(perSecond: number): void {
      stopping = false;
      running = (async () => {
        let due = performance.now();
        while (!stopping) {
          due += 1000 / perSecond;
          one();
          const wait = due - performance.now();
          if (wait > 0) await delay(wait);
        }
      })();
    },
    stop,
    columns(mayDouble: number): Record<"toXmpp" | "toMatrix", Column[]> {
      const columns = all.map((conversation) => ofConversation(conversation, mayDouble));
      return { toXmpp: columns.map((one) => one.toXmpp), toMatrix: columns.map((one) => one.toMatrix) };
    },
    /** A pair has one room. */
    strayRooms: (): string[] =>
      all
        .filter(({ juliet }) => juliet.rooms().length + juliet.invites().length > 1)
        .map(({ n }) => `conversation ${n} has more than one room`),
  };
}
