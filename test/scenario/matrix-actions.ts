/** What the Matrix users of a scenario can do and see, as the scripts say it. */
import assert from "node:assert/strict";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";

/** What a Matrix user acts in and upon. */
export interface MatrixScene {
  user: MatrixUser;
  /** The scenario's room, once it is made. */
  roomId: string;
  setRoom: (roomId: string) => void;
  /** The MXID of whom a script calls by name: a ghost, or a Matrix user. */
  mxidOf: (name: string) => Promise<string>;
  /** Keeps a value for later lines. */
  keep: (name: string, value: string) => void;
  /** Unique to the run of a scenario: the local part of its alias. */
  alias: string;
  /** Says something in the room and resolves when this user has it back. */
  mark: () => Promise<void>;
  /** The events that scripts have named so far. */
  seen: Set<object>;
}

type Action = (scene: MatrixScene, ...words: string[]) => Promise<unknown>;

const room = (id: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(id)}`;
const waitMs = 15_000;

/** The first event that matches and that no earlier line has seen. */
async function see(scene: MatrixScene, matches: (event: SyncEvent) => boolean): Promise<SyncEvent> {
  const { user, roomId, seen } = scene;
  const isNew = (event: SyncEvent): boolean => event.room_id === roomId && !seen.has(event);
  const event = await user
    .waitFor((candidate) => isNew(candidate) && matches(candidate), waitMs)
    .catch(() => {
      const lines = user.events
        .filter(isNew)
        .map(({ type, sender, content }) => `  ${sender} ${type} ${JSON.stringify(content)}`);
      throw new Error(["not seen; there is", ...lines].join("\n"));
    });
  seen.add(event);
  return event;
}

function isLike(event: unknown, wanted: unknown): boolean {
  try {
    assert.partialDeepStrictEqual(event, wanted);
    return true;
  } catch {
    return false;
  }
}

async function send(scene: MatrixScene, key: string | undefined, content: Record<string, unknown>) {
  const id = await scene.user.send(scene.roomId, "m.room.message", { msgtype: "m.text", ...content });
  if (key) scene.keep(key, id);
}

async function seeMembership(scene: MatrixScene, who: string, membership: string): Promise<void> {
  const target = await scene.mxidOf(who);
  await see(
    scene,
    (event) =>
      event.type === "m.room.member" && event.state_key === target && event.content.membership === membership,
  );
}

async function make(scene: MatrixScene, options: Record<string, unknown>): Promise<void> {
  scene.setRoom(await scene.user.createRoom({ room_alias_name: scene.alias, ...options }));
}

async function setState(scene: MatrixScene, type: string, change: Record<string, unknown>): Promise<void> {
  await scene.user.sendState(scene.roomId, type, change);
}

async function changePower(scene: MatrixScene, change: (content: Levels) => void): Promise<void> {
  const content = (await scene.user.request(
    "GET",
    `${room(scene.roomId)}/state/m.room.power_levels/`,
  )) as Levels;
  change(content);
  await setState(scene, "m.room.power_levels", content);
}

interface Levels extends Record<string, unknown> {
  users?: Record<string, number>;
}

const moderate =
  (what: string): Action =>
  async (scene, who = "", reason = "") =>
    scene.user.request("POST", `${room(scene.roomId)}/${what}`, {
      user_id: await scene.mxidOf(who),
      ...(reason && { reason }),
    });

/** Patterns of what follows the name, the most special first. */
const actions: [RegExp, Action][] = [
  [/^makes a room$/, (scene) => make(scene, { preset: "public_chat", name: "The garden" })],
  [
    /^makes a room with the topic "(.*)"$/,
    (scene, topic) => make(scene, { preset: "public_chat", name: "The garden", topic }),
  ],
  [
    /^makes a listed room named "(.*)"$/,
    (scene, name) => make(scene, { preset: "public_chat", visibility: "public", name }),
  ],
  [/^makes a private room$/, (scene) => make(scene, { preset: "private_chat", name: "The garden" })],
  [/^joins$/, (scene) => scene.user.join(scene.roomId)],
  [/^leaves$/, (scene) => scene.user.leave(scene.roomId)],
  [/^sends "(.*)"(?: as \{(.+)\})?$/, (scene, body = "", key) => send(scene, key, { body })],
  [/^emotes "(.*)"$/, (scene, body) => send(scene, undefined, { msgtype: "m.emote", body })],
  [
    /^changes (\$\S+) to "(.*)"$/,
    (scene, target, body) =>
      send(scene, undefined, {
        body: `* ${body}`,
        "m.new_content": { msgtype: "m.text", body },
        "m.relates_to": { rel_type: "m.replace", event_id: target },
      }),
  ],
  [
    /^answers (\$\S+) with "(.*)"(?: as \{(.+)\})?$/,
    (scene, target, body, key) =>
      send(scene, key, { body, "m.relates_to": { "m.in_reply_to": { event_id: target } } }),
  ],
  [
    /^reacts to (\$\S+) with "(.*)"$/,
    (scene, target, key) =>
      scene.user.send(scene.roomId, "m.reaction", {
        "m.relates_to": { rel_type: "m.annotation", event_id: target, key },
      }),
  ],
  [
    /^removes (\$\S+)(?:: "(.*)")?$/,
    (scene, target = "", reason) =>
      scene.user.request(
        "PUT",
        `${room(scene.roomId)}/redact/${encodeURIComponent(target)}/${Math.random()}`,
        {
          ...(reason && { reason }),
        },
      ),
  ],
  [/^kicks (\S+)(?:: "(.*)")?$/, moderate("kick")],
  [/^bans (\S+)(?:: "(.*)")?$/, moderate("ban")],
  [/^unbans (\S+)$/, moderate("unban")],
  [/^invites (\S+)(?:: "(.*)")?$/, moderate("invite")],
  [
    /^gives (\S+) the power (-?\d+)$/,
    async (scene, who = "", level) => {
      const target = await scene.mxidOf(who);
      await changePower(scene, (content) => {
        content.users = { ...content.users, [target]: Number(level) };
      });
    },
  ],
  [
    /^lets only those of power (\d+) speak$/,
    (scene, level) =>
      changePower(scene, (content) => {
        content.events_default = Number(level);
      }),
  ],
  [
    /^lets only those of power (\d+) invite$/,
    (scene, level) =>
      changePower(scene, (content) => {
        content.invite = Number(level);
      }),
  ],
  [/^names the room "(.*)"$/, (scene, name) => setState(scene, "m.room.name", { name })],
  [/^sets the topic "(.*)"$/, (scene, topic) => setState(scene, "m.room.topic", { topic })],
  [/^sets the join rule (\S+)$/, (scene, rule) => setState(scene, "m.room.join_rules", { join_rule: rule })],
  [
    /^sets the history visibility (\S+)$/,
    (scene, visibility) => setState(scene, "m.room.history_visibility", { history_visibility: visibility }),
  ],
  [
    /^is called "(.*)" from now on$/,
    (scene, displayname) =>
      scene.user.sendState(
        scene.roomId,
        "m.room.member",
        { membership: "join", displayname },
        scene.user.userId,
      ),
  ],
  [
    /^moves the room to a new one$/,
    async (scene) => {
      const { replacement_room } = await scene.user.request("POST", `${room(scene.roomId)}/upgrade`, {
        new_version: "10",
      });
      scene.keep("new room", String(replacement_room));
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

/** @throws where nothing of the kind can be done. */
export async function act(scene: MatrixScene, text: string): Promise<void> {
  for (const [pattern, action] of actions) {
    const words = pattern.exec(text);
    if (words) {
      await action(scene, ...words.slice(1));
      return;
    }
  }
  throw new Error(`no Matrix user can do this: ${text}`);
}
