/** What every backend promises of names, faces, presence and read marks. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const romeo = "romeo@xmpp.example" as BareJid;
const mercutio = "mercutio@xmpp.example" as BareJid;
const garden = "!garden:hs.example" as RoomId;

export function testSignals(backend: string, check: Check): void {
  suite(`names, faces, presence and read marks on ${backend}`, () => {
    check("a ghost's profile is the one saved last, also after a restart", async ({ store, reopen }) => {
      const empty = {
        nick: undefined,
        name: undefined,
        avatarHash: "",
        avatarMxc: undefined,
        lookedAt: 0,
      };
      const full = { nick: "Romeo", name: "Romeo", avatarHash: "abc", avatarMxc: "mxc://a/b", lookedAt: 7 };
      assert.equal(await store.ghostProfiles.of(romeo), undefined);
      await store.ghostProfiles.save(romeo, empty);
      assert.deepEqual(await store.ghostProfiles.of(romeo), empty);
      await store.ghostProfiles.save(romeo, full);
      assert.deepEqual(await (await reopen()).ghostProfiles.of(romeo), full);
    });

    check("a user's presence is the one saved last, also after a restart", async ({ store, reopen }) => {
      assert.equal(await store.presences.of(juliet), undefined);
      await store.presences.save(juliet, { presence: "online", status: "in the orchard", activeAt: 5 });
      const last = { presence: "offline", status: undefined, activeAt: undefined } as const;
      await store.presences.save(juliet, last);
      assert.deepEqual(await (await reopen()).presences.of(juliet), last);
    });

    check("a read mark moves forward only, each side's by itself", async ({ store, reopen }) => {
      assert.equal(await store.readMarks.advance(garden, "matrix", 3), true);
      assert.equal(await store.readMarks.advance(garden, "matrix", 3), false);
      assert.equal(await store.readMarks.advance(garden, "xmpp", 2), true);
      const { readMarks } = await reopen();
      assert.equal(await readMarks.advance(garden, "matrix", 2), false);
      assert.equal(await readMarks.advance(garden, "matrix", 4), true);
    });

    check(
      "a place in a conversation is found from either side, and only in its own room",
      async ({ store }) => {
        const save = (eventId: string, origin: "matrix" | "xmpp", messageId?: string, roomId = garden) =>
          store.messages.save({
            roomId,
            eventId: eventId as EventId,
            part: 0,
            origin,
            userId: juliet,
            jid: romeo,
            messageId,
            originId: undefined,
            stanzaId: undefined,
            rootId: undefined,
            replyTo: undefined,
            threadId: undefined,
            isRedacted: false,
          });
        const newest = async (eventId: string, roomId = garden) =>
          (await store.readMarks.newestFromXmpp(roomId, eventId as EventId))?.messageId;
        await save("$1", "matrix", "$1");
        await save("$2", "xmpp", "x2");
        await save("$3", "xmpp");
        await save("$4", "matrix", "$4");
        await save("$5", "xmpp", "x5");
        await save("$6", "xmpp", "x6", "!tomb:hs.example" as RoomId);
        assert.deepEqual(
          [await newest("$1"), await newest("$2"), await newest("$4"), await newest("$5")],
          [undefined, "x2", "x2", "x5"],
        );
        assert.deepEqual([await newest("$unknown"), await newest("$6")], [undefined, undefined]);
        const sent = await store.readMarks.sent(garden, "$4");
        assert.deepEqual(sent, { eventId: "$4", messageId: "$4", position: sent?.position });
        assert.equal(await store.readMarks.sent(garden, "x5"), undefined);
        assert.equal(await store.readMarks.sent("!tomb:hs.example" as RoomId, "$4"), undefined);
      },
    );

    check(
      "a subscription is mutual once it is said to be, until it is removed",
      async ({ store, reopen }) => {
        const { subscribers } = store;
        await subscribers.setMutual(juliet, romeo, true);
        assert.equal(await subscribers.isMutual(juliet, romeo), false);
        await subscribers.add(juliet, romeo);
        await subscribers.add(juliet, mercutio);
        await subscribers.setMutual(juliet, romeo, true);
        await subscribers.add(juliet, romeo);
        const again = (await reopen()).subscribers;
        assert.deepEqual(await again.ofUser(juliet), [mercutio, romeo]);
        assert.deepEqual(
          [await again.isMutual(juliet, romeo), await again.isMutual(juliet, mercutio)],
          [true, false],
        );
        await again.remove(juliet, romeo);
        await again.add(juliet, romeo);
        assert.equal(await again.isMutual(juliet, romeo), false);
      },
    );
  });
}
