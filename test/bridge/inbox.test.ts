import assert from "node:assert/strict";
import { test } from "node:test";
import { createInbox, type InboxDeps } from "../../src/bridge/inbox.ts";
import { createRoomStates } from "../../src/bridge/room-state.ts";
import type { MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { type Element, parseStanza, xml } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";

const roomId = "!garden:hs.test" as RoomId;
const juliet = "@juliet:hs.test" as UserId;
const paris = "@paris:hs.test" as UserId;

const member = (id: string, membership: string): MatrixEvent => ({
  event_id: id as EventId,
  type: "m.room.member",
  room_id: roomId,
  sender: paris,
  state_key: paris,
  origin_server_ts: 0,
  content: { membership },
});

/** A room that breaks on the first message. */
function setBroken() {
  const stanzas: [lane: string, id: string][] = [];
  const room = {
    concerns(stanza: Element) {
      if (stanza.attrs.id === "1") throw new TypeError("x is undefined");
      return true;
    },
    laneOf: () => "xmpp garden@rooms.example",
    mayRefuse: () => false,
  };
  const inbox = createInbox({
    traffic: [room],
    pushback: {
      async add({ lane, work }: { lane: string; work: { xml: string } }) {
        stanzas.push([lane, parseStanza(work.xml).attrs.id]);
        return true;
      },
    },
    newId: () => "cause",
    log: createLogLines().log,
  } as unknown as InboxDeps);
  return { stanzas, receive: inbox.receiveStanza };
}

test("who has left is not there again because their joining, which was lost, is found later", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  t.after(() => store.close());
  const [join, leave] = [member("$join", "join"), member("$leave", "leave")];
  let state = join;
  const roomStates = createRoomStates({ matrix: { fullState: async () => [state] } });
  const inbox = createInbox({
    store,
    roomStates,
    // A room is compared while its newest event is on its way.
    fromMatrix: { matters: () => true, catchUp: async () => [join] },
    catchUp: { takeUnsure: () => new Set(), giveBack: () => undefined },
    pushback: { noted: () => undefined },
    secrets: { hideInEvent: (event: MatrixEvent) => event },
    log: createLogLines().log,
  } as unknown as InboxDeps);
  const lane = `matrix ${roomId}`;
  const work = { kind: "catch-up", roomId, after: "$before" as EventId } as const;
  await store.lanes.add([{ lane, cause: "catch-up/1", work }]);
  const job = await store.lanes.next(lane);
  assert.ok(job);

  await roomStates.of(juliet, roomId);
  state = leave;
  await inbox.acceptTransaction({ id: "1", digest: "", events: [leave] });
  await inbox.handle(job, false);
  assert.equal((await roomStates.of(juliet, roomId)).members.get(paris)?.membership, "leave");
});

test("a message on which its room breaks before it is stored is stored, in a lane where nobody waits behind it", async () => {
  const { stanzas, receive } = setBroken();
  const from = "garden@rooms.example/Romeo";
  const broken = xml("message", { type: "groupchat", from, to: "bridge.example/causeway", id: "1" });
  const sound = xml("message", { type: "groupchat", from, to: "bridge.example/causeway", id: "2" });
  assert.deepEqual([await receive(broken), await receive(sound)], [undefined, undefined]);
  assert.deepEqual(stanzas, [
    ["xmpp garden@rooms.example bridge.example", "1"],
    ["xmpp garden@rooms.example", "2"],
  ]);
});
