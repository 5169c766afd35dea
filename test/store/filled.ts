/** Fills a store with some of everything that a bridge keeps, by its own interfaces. */
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { EventJob, Store } from "../../src/store/store.ts";
import type { BareJid, FullJid, Jid } from "../../src/xmpp/jid.ts";

/** Which of these is first depends on who compares; and the last one cannot be kept everywhere. */
const texts = ["a", "B", "á", "_", "\u{ff5e}", "\u{1f339}", "O 'Romeo'; \"--", "nul\0l"];
const textOf = (number: number): string => `${texts[number % texts.length]}${number}`;
/** What an address may hold. */
const nameOf = (number: number): string => `${texts[number % 6]}${number}`;

export async function fill(store: Store, count: number): Promise<void> {
  const muc = "garden@conference.xmpp.example" as BareJid;
  const garden = "!garden:hs.example" as RoomId;
  for (let number = 0; number < count; number += 1) {
    const text = textOf(number);
    const userId = `@${nameOf(number)}:hs.example` as UserId;
    const ghost = `@_xmpp_${nameOf(number)}:hs.example` as UserId;
    const jid = `${nameOf(number)}@xmpp.example` as BareJid;
    const roomId = `!${nameOf(number)}:hs.example` as RoomId;
    const eventId = `$${nameOf(number)}` as EventId;
    const event = {
      event_id: eventId,
      room_id: roomId,
      type: "m.room.message",
      sender: userId,
      content: { body: text },
    };
    const job = {
      lane: `matrix ${roomId}`,
      cause: eventId,
      work: { kind: "event", event: { ...event, origin_server_ts: 1 } },
    } as unknown as EventJob;
    await Promise.all([
      store.transactions.accept({ id: `txn${nameOf(number)}`, digest: text, jobs: [job], unsure: new Set() }),
      store.lanes.add([
        { lane: `xmpp ${nameOf(number % 7)}`, cause: text, work: { kind: "stanza", xml: text } },
      ]),
      store.directRooms.save({
        userId,
        jid,
        roomId: number % 5 === 0 ? undefined : roomId,
        membership: "join",
      }),
      store.ghosts.save(ghost, jid),
      store.subscribers.add(userId, jid),
      store.ghostProfiles.save(jid, {
        nick: text,
        name: undefined,
        avatarHash: "",
        avatarMxc: undefined,
        lookedAt: number,
      }),
      store.presences.save(userId, {
        presence: "online",
        status: text,
        activeAt: 1_700_000_000_000 + number,
      }),
      store.readMarks.advance(roomId, "matrix", number + 1),
      store.pushKeys.save({
        digest: nameOf(number),
        key: text,
        owner: userId,
        jid,
        madeAt: 1,
        unread: number,
        ended: undefined,
      }),
      store.pushDeliveries.note(`stanza${nameOf(number)}`, nameOf(number), number % 2 ? "taken" : "refused"),
      store.botRooms.save({ roomId, userId: number % 2 ? userId : undefined }),
      store.links.save({
        ...{
          roomId,
          muc: `${nameOf(number)}@conference.xmpp.example` as BareJid,
          kind: "portal",
          mode: "puppets",
        },
        ...{ password: text, linkedBy: userId, archiveId: undefined, isAnonymous: number % 2 === 0 },
      }),
      store.puppets.save({ muc, userId, nick: text, state: "in", ...(number % 2 && { occupantId: text }) }),
      store.occupants.save({
        ...{ muc, key: nameOf(number), nick: text, ghost, jid: jid as Jid },
        ...{ affiliation: "member", role: "participant", isIn: number % 3 === 0 },
      }),
      store.guests.save({ roomId: garden, jid: `${jid}/phone` as FullJid, address: muc, nick: text, ghost }),
      store.roomNicks.save({ roomId: garden, userId, nick: nameOf(number) }),
      store.linkRequests.save({
        ...{
          code: nameOf(number),
          roomId,
          muc: jid,
          password: undefined,
          mode: "relay",
          askedBy: userId,
          askedAt: 1,
        },
        ...{ matrixBy: undefined, xmppBy: jid as Jid, isRefused: false },
      }),
      store.blocks.save({ pattern: nameOf(number), by: userId, at: number }),
      store.reactions.save({ roomId, eventId, targetId: eventId, userId, key: text }),
      store.messages.save({
        ...{
          roomId,
          eventId,
          part: number % 3,
          origin: "matrix",
          userId,
          jid,
          messageId: text,
          originId: undefined,
        },
        ...{
          stanzaId: { id: nameOf(number), by: muc },
          rootId: undefined,
          replyTo: eventId,
          threadId: undefined,
        },
        isRedacted: number % 2 === 0,
      }),
    ]);
  }
  for (const lane of (await store.lanes.waiting())
    .filter((name) => name.startsWith("matrix"))
    .slice(0, count / 3)) {
    const job = await store.lanes.next(lane);
    if (job) await store.lanes.park(job, "banished", []);
  }
  const [tried] = (await store.lanes.waiting()).filter((name) => name.startsWith("xmpp"));
  const job = tried === undefined ? undefined : await store.lanes.next(tried);
  if (job) await store.lanes.failed(job, "not now");
}
