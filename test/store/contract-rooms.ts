/** What every backend promises of rooms that are linked or visited. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { Guest, Occupant, Puppet, RoomLink } from "../../src/store/room-records.ts";
import type { BareJid, FullJid, Jid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const nurse = "@nurse:hs.example" as UserId;
const garden = "!garden:hs.example" as RoomId;
const tomb = "!tomb:hs.example" as RoomId;
const orchard = "orchard@muc.xmpp.example" as BareJid;
const crypt = "crypt@muc.xmpp.example" as BareJid;
const romeo = "romeo@xmpp.example/phone" as FullJid;

const link: RoomLink = {
  roomId: garden,
  muc: orchard,
  kind: "portal",
  mode: "puppets",
  password: undefined,
  linkedBy: juliet,
  archiveId: undefined,
  isAnonymous: true,
};
const occupant: Occupant = {
  muc: orchard,
  key: "id-1",
  nick: "Romeo",
  ghost: "@_xmpp_orchard=40muc=2fid-1:hs.example" as UserId,
  jid: `${orchard}/id-1` as Jid,
  affiliation: "member",
  role: "participant",
  isIn: true,
};
const guest: Guest = {
  roomId: garden,
  address: "#garden%hs.example@bridge.example" as BareJid,
  jid: romeo,
  nick: "Romeo",
  ghost: "@_xmpp_romeo=40xmpp.example:hs.example" as UserId,
};

export function testRooms(backend: string, check: Check): void {
  suite(`rooms on ${backend}`, () => {
    check("a link is found from both sides, also after a restart", async ({ store, reopen }) => {
      await store.links.save(link);
      await store.links.setArchiveId(orchard, "archive-7");
      const { links } = await reopen();
      const expected = { ...link, archiveId: "archive-7" };
      assert.deepEqual(await links.ofRoom(garden), expected);
      assert.deepEqual(await links.ofMuc(orchard), expected);
      assert.deepEqual(await links.all(), [expected]);
      assert.equal(await links.ofRoom(tomb), undefined);
      assert.equal(await links.ofMuc(crypt), undefined);
    });

    check("a link can change in all but what it links", async ({ store }) => {
      await store.links.save(link);
      const changed: RoomLink = {
        ...link,
        kind: "plumbed",
        mode: "relay",
        password: "balcony",
        linkedBy: undefined,
        isAnonymous: false,
      };
      await store.links.save(changed);
      assert.deepEqual(await store.links.ofRoom(garden), changed);
      await assert.rejects(store.links.save({ ...link, muc: crypt }));
      await assert.rejects(store.links.save({ ...link, roomId: tomb }));
      assert.deepEqual(await store.links.all(), [changed]);
    });

    check("a link moves at once, and who is in the MUC stays with that", async ({ store }) => {
      await store.links.save(link);
      const puppet: Puppet = {
        muc: orchard,
        userId: juliet,
        nick: "Juliet",
        state: "in",
        occupantId: "id-2",
      };
      await store.puppets.save(puppet);
      await store.occupants.save(occupant);
      const upgraded = { ...link, roomId: tomb };
      await store.links.move(garden, upgraded);
      assert.deepEqual(await store.links.all(), [upgraded]);
      assert.deepEqual(await store.puppets.ofMuc(orchard), [puppet]);
      assert.deepEqual(await store.occupants.ofMuc(orchard), [occupant]);
      const elsewhere = { ...upgraded, muc: crypt, archiveId: undefined, isAnonymous: false };
      await store.links.move(tomb, elsewhere);
      assert.deepEqual(await store.links.all(), [elsewhere]);
      assert.deepEqual(await store.puppets.ofMuc(orchard), []);
      assert.deepEqual(await store.occupants.ofMuc(orchard), []);
    });

    check("a link takes its puppets and occupants with it, and nobody else's", async ({ store }) => {
      await store.links.save(link);
      await store.links.save({ ...link, roomId: tomb, muc: crypt });
      for (const muc of [orchard, crypt]) {
        await store.puppets.save({ muc, userId: juliet, nick: "Juliet", state: "in" });
        await store.occupants.save({ ...occupant, muc });
      }
      await store.links.forget(garden);
      assert.equal(await store.links.ofMuc(orchard), undefined);
      assert.deepEqual(await store.puppets.ofMuc(orchard), []);
      assert.deepEqual(await store.occupants.ofMuc(orchard), []);
      assert.equal((await store.puppets.ofMuc(crypt)).length, 1);
      assert.equal((await store.occupants.ofMuc(crypt)).length, 1);
    });

    check("a Matrix user has one place in a room, the one saved last", async ({ store, reopen }) => {
      await store.puppets.save({ muc: orchard, userId: juliet, nick: "Juliet", state: "in" });
      const last = { muc: orchard, userId: juliet, nick: "Juliet2", state: "kicked" } as const;
      await store.puppets.save(last);
      const { puppets } = await reopen();
      assert.deepEqual(await puppets.of(orchard, juliet), last);
      assert.deepEqual(await puppets.ofMuc(orchard), [last]);
      await puppets.remove(orchard, juliet);
      assert.equal(await puppets.of(orchard, juliet), undefined);
    });

    check(
      "an occupant is found by key, ghost and nick, whoever has the nick now first",
      async ({ store }) => {
        const { occupants } = store;
        const former = { ...occupant, key: "id-0", ghost: nurse, isIn: false };
        await occupants.save(former);
        assert.deepEqual(await occupants.ofNick(orchard, "Romeo"), former);
        await occupants.save(occupant);
        assert.deepEqual(await occupants.ofNick(orchard, "Romeo"), occupant);
        assert.deepEqual(await occupants.ofKey(orchard, "id-0"), former);
        assert.deepEqual(await occupants.ofGhost(orchard, occupant.ghost), occupant);
        assert.equal(await occupants.ofNick(crypt, "Romeo"), undefined);
        await occupants.save({ ...occupant, nick: "Montague" });
        assert.equal((await occupants.ofKey(orchard, "id-1"))?.nick, "Montague");
        assert.deepEqual(
          (await occupants.ofMuc(orchard)).map(({ key }) => key),
          ["id-0", "id-1"],
        );
        assert.deepEqual(
          (await occupants.inMuc(orchard)).map(({ key }) => key),
          ["id-1"],
        );
      },
    );

    check(
      "each client of a guest is remembered by itself, also after a restart",
      async ({ store, reopen }) => {
        const desktop = { ...guest, jid: "romeo@xmpp.example/desktop" as FullJid };
        await store.guests.save(guest);
        await store.guests.save(desktop);
        await store.guests.save({ ...guest, nick: "Montague" });
        const { guests } = await reopen();
        assert.deepEqual(await guests.ofRoom(garden), [desktop, { ...guest, nick: "Montague" }]);
        assert.deepEqual(await guests.all(), [desktop, { ...guest, nick: "Montague" }]);
        await guests.remove(garden, desktop.jid);
        assert.equal((await guests.ofRoom(garden)).length, 1);
        assert.deepEqual(await guests.ofRoom(tomb), []);
      },
    );

    check("no two members of a room have one nick", async ({ store }) => {
      const { roomNicks } = store;
      await roomNicks.save({ roomId: garden, userId: juliet, nick: "Juliet" });
      await roomNicks.save({ roomId: garden, userId: nurse, nick: "Juliet" });
      assert.deepEqual(await roomNicks.ofRoom(garden), [{ roomId: garden, userId: nurse, nick: "Juliet" }]);
      await roomNicks.save({ roomId: tomb, userId: nurse, nick: "Juliet" });
      await roomNicks.save({ roomId: garden, userId: juliet, nick: "Jule" });
      await roomNicks.save({ roomId: garden, userId: juliet, nick: "Capulet" });
      assert.deepEqual(await roomNicks.ofRoom(garden), [
        { roomId: garden, userId: juliet, nick: "Capulet" },
        { roomId: garden, userId: nurse, nick: "Juliet" },
      ]);
      await roomNicks.remove(garden, nurse);
      assert.deepEqual(await roomNicks.ofRoom(garden), [{ roomId: garden, userId: juliet, nick: "Capulet" }]);
    });

    check(
      "a message is found by the ID that an archive gave it, and by no other archive's",
      async ({ store }) => {
        const { messages } = store;
        const eventId = "$1" as EventId;
        await messages.save({
          roomId: garden,
          eventId,
          part: 0,
          origin: "matrix",
          userId: juliet,
          jid: `${orchard}/Juliet` as Jid,
          messageId: eventId,
          originId: undefined,
          stanzaId: undefined,
          rootId: undefined,
          replyTo: undefined,
          threadId: undefined,
          isRedacted: false,
        });
        await messages.setStanzaId(garden, eventId, 0, { id: "s1", by: orchard });
        const [found] = await messages.ofStanzaId(garden, orchard, "s1");
        assert.deepEqual([found?.eventId, found?.stanzaId], [eventId, { id: "s1", by: orchard }]);
        assert.deepEqual(await messages.ofStanzaId(garden, crypt, "s1"), []);
        assert.deepEqual(await messages.ofStanzaId(tomb, orchard, "s1"), []);
      },
    );
  });
}
