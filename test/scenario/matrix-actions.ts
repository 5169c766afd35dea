/** What the Matrix users of a scenario can do, as the scripts say it. */
import { type Action, type MatrixScene, waitMs } from "./matrix-scene.ts";
import { sights } from "./matrix-sights.ts";

const room = (id: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(id)}`;

async function send(scene: MatrixScene, key: string | undefined, content: Record<string, unknown>) {
  const id = await scene.user.send(scene.roomId, "m.room.message", { msgtype: "m.text", ...content });
  if (key) scene.keep(key, id);
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
const deeds: [RegExp, Action][] = [
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
  [
    /^encrypts the room$/,
    (scene) => setState(scene, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }),
  ],
  [
    /^accepts a chat with (\S+)$/,
    async (scene, who = "") => {
      const from = await scene.mxidOf(who);
      scene.chat.roomId = await scene.user.waitForInvite(from, waitMs);
      await scene.user.join(scene.chat.roomId);
    },
  ],
  [/^says in the chat "(.*)"$/, (scene, body = "") => scene.user.sendText(scene.chat.roomId, body)],
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
];

/** @throws where nothing of the kind can be done. */
export async function act(scene: MatrixScene, text: string): Promise<void> {
  for (const [pattern, action] of [...sights, ...deeds]) {
    const words = pattern.exec(text);
    if (words) {
      await action(scene, ...words.slice(1));
      return;
    }
  }
  throw new Error(`no Matrix user can do this: ${text}`);
}
