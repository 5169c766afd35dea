/** What the Matrix users of a scenario can see, as the scripts say it. */
import assert from "node:assert/strict";
import { type Action, eventsOf, type MatrixScene, see, waitMs } from "./matrix-scene.ts";

function isLike(event: unknown, wanted: unknown): boolean {
  try {
    assert.partialDeepStrictEqual(event, wanted);
    return true;
  } catch {
    return false;
  }
}

async function seeMembership(scene: MatrixScene, who: string, membership: string): Promise<void> {
  const target = await scene.mxidOf(who);
  await see(
    scene,
    (event) =>
      event.type === "m.room.member" && event.state_key === target && event.content.membership === membership,
  );
}

/** Patterns of what follows the name, the most special first. */
export const sights: [RegExp, Action][] = [
  [
    /^sees (\S+) say in the chat "(.*)"$/,
    async (scene, who = "", body) => {
      const sender = await scene.mxidOf(who);
      const { roomId } = scene.chat;
      await scene.user.waitFor(
        (event) => event.room_id === roomId && event.sender === sender && event.content.body === body,
        waitMs,
      );
    },
  ],
  [/^sees (\S+) join$/, (scene, who = "") => seeMembership(scene, who, "join")],
  [/^sees (\S+) leave$/, (scene, who = "") => seeMembership(scene, who, "leave")],
  [/^sees (\S+) banned$/, (scene, who = "") => seeMembership(scene, who, "ban")],
  [/^sees (\S+) knock$/, (scene, who = "") => seeMembership(scene, who, "knock")],
  [/^sees (\S+) invited$/, (scene, who = "") => seeMembership(scene, who, "invite")],
  [
    /^sees (\S+) say "(.*)"(?: as \{(.+)\})?$/,
    async (scene, who = "", body, key) => {
      const sender = await scene.mxidOf(who);
      const event = await see(
        scene,
        (candidate) =>
          candidate.type === "m.room.message" &&
          candidate.sender === sender &&
          !("m.new_content" in candidate.content),
      );
      assert.equal(event.content.body, body);
      if (key) scene.keep(key, String(event.event_id));
    },
  ],
  [
    /^sees (\S+) send (\{.*\})$/,
    async (scene, who = "", pattern = "{}") => {
      const sender = await scene.mxidOf(who);
      const wanted = { sender, ...JSON.parse(pattern) };
      await see(scene, (event) => isLike(event, wanted));
    },
  ],
  [
    /^sees nothing removed$/,
    async (scene) => {
      await scene.mark();
      assert.ok(!eventsOf(scene).some(({ type }) => type === "m.room.redaction"));
    },
  ],
  [
    /^sees nothing changed of (\S+)$/,
    async (scene, who = "") => {
      await scene.mark();
      const sender = await scene.mxidOf(who);
      const changes = eventsOf(scene).filter((event) => "m.new_content" in event.content);
      const original = eventsOf(scene).find(
        (event) => event.sender === sender && event.type === "m.room.message",
      );
      const targets = changes.map(
        ({ content }) => (content["m.relates_to"] as { event_id?: string })?.event_id,
      );
      assert.ok(!targets.includes(original?.event_id));
    },
  ],
  [
    /^sees nothing more said$/,
    async (scene) => {
      await scene.mark();
      const more = scene.user.events.filter(
        (event) =>
          event.room_id === scene.roomId &&
          event.type === "m.room.message" &&
          event.sender !== scene.user.userId &&
          !scene.seen.has(event),
      );
      assert.deepEqual(more, []);
    },
  ],
];
