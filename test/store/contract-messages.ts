/** What every backend promises of the memory of messages and reactions. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite } from "node:test";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { Reaction, StoredMessage } from "../../src/store/message-records.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const romeo = "romeo@xmpp.example" as BareJid;
const mercutio = "mercutio@xmpp.example" as BareJid;
const garden = "!garden:hs.example" as RoomId;
const tomb = "!tomb:hs.example" as RoomId;

const message = (eventId: string, more: Partial<StoredMessage> = {}): StoredMessage => ({
  roomId: garden,
  eventId: eventId as EventId,
  part: 0,
  origin: "xmpp",
  userId: "@_xmpp_romeo=40xmpp.example:hs.example" as UserId,
  jid: romeo,
  messageId: `id of ${eventId}`,
  originId: undefined,
  stanzaId: undefined,
  rootId: undefined,
  replyTo: undefined,
  threadId: undefined,
  isRedacted: false,
  ...more,
});

const reaction = (eventId: string, key: string, more: Partial<Reaction> = {}): Reaction => ({
  roomId: garden,
  eventId: eventId as EventId,
  targetId: "$target" as EventId,
  userId: juliet,
  key,
  ...more,
});

export function testMessages(backend: string, check: Check): void {
  suite(`messages on ${backend}`, () => {
    check(
      "a message is found by its event and by its IDs, also after a restart",
      async ({ store, reopen }) => {
        const whole = message("$1", {
          originId: "origin",
          stanzaId: { id: "archive", by: mercutio },
          rootId: "$0" as EventId,
          replyTo: "$r" as EventId,
          threadId: "$t" as EventId,
        });
        await store.messages.save(whole);
        await store.messages.save(message("$2", { messageId: undefined }));
        const { messages } = await reopen();
        assert.deepEqual(await messages.ofEvent(garden, whole.eventId), [whole]);
        assert.deepEqual(await messages.ofMessageId(garden, romeo, "id of $1"), [whole]);
        assert.deepEqual(await messages.ofMessageId(garden, romeo, "origin"), [whole]);
        assert.deepEqual(await messages.ofMessageId(garden, romeo, "archive"), []);
      },
    );

    check("an ID is its sender's and its room's alone", async ({ store }) => {
      const [his, hers] = [
        message("$1", { messageId: "x" }),
        message("$2", { messageId: "x", jid: mercutio }),
      ];
      const elsewhere = message("$3", { messageId: "x", roomId: tomb });
      for (const each of [his, hers, elsewhere]) await store.messages.save(each);
      assert.deepEqual(await store.messages.ofMessageId(garden, romeo, "x"), [his]);
      assert.deepEqual(await store.messages.ofMessageId(garden, mercutio, "x"), [hers]);
      assert.deepEqual(await store.messages.ofEvent(tomb, his.eventId), []);
    });

    check("an ID may be as long as a stanza", async ({ store }) => {
      const long = (seed: string) =>
        createHash("shake256", { outputLength: 50_000 }).update(seed).digest("hex");
      const whole = message("$1", {
        messageId: long("message"),
        originId: long("origin"),
        stanzaId: { id: long("archive"), by: mercutio },
      });
      await store.messages.save(whole);
      assert.deepEqual(await store.messages.ofMessageId(garden, romeo, long("message")), [whole]);
      assert.deepEqual(await store.messages.ofMessageId(garden, romeo, long("origin")), [whole]);
      assert.deepEqual(await store.messages.ofStanzaId(garden, mercutio, long("archive")), [whole]);
    });

    check("parts are kept in order, and saving one again changes nothing", async ({ store }) => {
      const [first, second] = [message("$1"), message("$1", { part: 1, messageId: "caption" })];
      await store.messages.save(second);
      await store.messages.save(first);
      await store.messages.save({ ...first, messageId: "another" });
      assert.deepEqual(await store.messages.ofEvent(garden, first.eventId), [first, second]);
    });

    check("one ID on several messages is all of them, oldest first", async ({ store }) => {
      const both = [message("$1", { messageId: "x", originId: "x" }), message("$2", { messageId: "x" })];
      for (const each of both) await store.messages.save(each);
      assert.deepEqual(await store.messages.ofMessageId(garden, romeo, "x"), both);
    });

    check("the versions of a message are it and its edits; what is redacted stays so", async ({ store }) => {
      const [root, edit] = [message("$1"), message("$2", { rootId: "$1" as EventId })];
      for (const each of [root, edit, message("$3")]) await store.messages.save(each);
      assert.deepEqual(await store.messages.versions(garden, root.eventId), [root, edit]);
      await store.messages.markRedacted(garden, root.eventId);
      await store.messages.save(root);
      assert.deepEqual(await store.messages.versions(garden, root.eventId), [
        { ...root, isRedacted: true },
        edit,
      ]);
    });

    check("reactions are their user's on their target, until they are removed", async ({ store, reopen }) => {
      const mine = [reaction("$a", "👍"), reaction("$b", "❤")];
      const others = [
        reaction("$c", "👍", { userId: "@nurse:hs.example" as UserId }),
        reaction("$d", "👍", { targetId: "$other" as EventId }),
      ];
      for (const each of [...mine, ...others, ...mine]) await store.reactions.save(each);
      const { reactions } = await reopen();
      assert.deepEqual(await reactions.ofUser(garden, "$target" as EventId, juliet), mine);
      assert.deepEqual(await reactions.ofEvent(garden, "$d" as EventId), others[1]);
      await reactions.remove(tomb, "$a" as EventId);
      await reactions.remove(garden, "$b" as EventId);
      await reactions.remove(garden, "$b" as EventId);
      assert.deepEqual(await reactions.ofUser(garden, "$target" as EventId, juliet), [mine[0]]);
      assert.equal(await reactions.ofEvent(garden, "$b" as EventId), undefined);
    });

    check("what is older than a date is forgotten, and nothing newer", async ({ store }, clock) => {
      await store.messages.save(message("$old"));
      await store.reactions.save(reaction("$old-reaction", "👍"));
      clock.ms = 3000;
      await store.messages.save(message("$new"));
      await store.reactions.save(reaction("$new-reaction", "👍"));
      await store.prune(0, 2000);
      assert.deepEqual(await store.messages.ofEvent(garden, "$old" as EventId), []);
      assert.equal((await store.messages.ofEvent(garden, "$new" as EventId)).length, 1);
      assert.deepEqual(
        (await store.reactions.ofUser(garden, "$target" as EventId, juliet)).map(({ eventId }) => eventId),
        ["$new-reaction"],
      );
    });
  });
}
