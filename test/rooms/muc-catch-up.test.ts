import assert from "node:assert/strict";
import { test } from "node:test";
import { NoAnswerError } from "../../src/http/client.ts";
import { occupantPresence } from "../../src/mapping/muc-presence.ts";
import type { PuppetsDeps } from "../../src/rooms/puppets.ts";
import { IqTimeoutError, StanzaRefusedError } from "../../src/xmpp/client.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { type Element, xml } from "../../src/xmpp/stanza.ts";
import { botJid, muc, setMucRoom } from "./muc-room.ts";

const carrier = (queryid: string, id: number) =>
  xml(
    "message",
    { from: muc, to: botJid },
    xml(
      "result",
      { xmlns: NS.mam, queryid, id: String(id) },
      xml(
        "forwarded",
        { xmlns: "urn:xmpp:forward:0" },
        xml("delay", { xmlns: NS.delay, stamp: "2026-01-02T03:04:05Z" }),
        xml(
          "message",
          { xmlns: NS.client, type: "groupchat", from: `${muc}/Romeo` },
          xml("body", {}, `no ${id}`),
        ),
      ),
    ),
  );

const valueIn = (query: Element, name: string) =>
  query.getChild("set", NS.resultSet)?.getChildText(name) ?? undefined;

/** An archive of messages that are called 1, 2, 3… */
function archiveOf(
  count: number,
  more: { kept?: number; isRemote?: boolean; errors?: Error[]; infoErrors?: Error[] } = {},
) {
  const { kept = 1, isRemote = false, errors = [], infoErrors = [] } = more;
  const asked: string[] = [];
  const requestAll: PuppetsDeps["requests"]["requestAll"] = async ({ payload }) => {
    const [after, before] = [valueIn(payload, "after"), valueIn(payload, "before")];
    const max = Number(valueIn(payload, "max"));
    asked.push(after !== undefined ? `after ${after}` : before !== undefined ? `before ${before}` : "since");
    const error = errors.shift();
    if (error) throw error;
    if (after !== undefined && Number(after) < kept) {
      throw new StanzaRefusedError({ type: "modify", condition: "item-not-found" });
    }
    const all = Array.from({ length: count - kept + 1 }, (_, index) => kept + index);
    const found = all.filter(
      (id) => id > Number(after ?? 0) && id < Number(before || Number.POSITIVE_INFINITY),
    );
    const page = before === undefined ? found.slice(0, max) : found.slice(-max);
    const queryId = payload.attrs.queryid;
    const messages = page.map((id) => carrier(queryId, id));
    const set = xml(
      "set",
      { xmlns: NS.resultSet },
      xml("first", {}, String(page[0] ?? "")),
      xml("last", {}, String(page.at(-1) ?? "")),
    );
    const complete = page.length === found.length ? { complete: "true" } : {};
    const result = xml("iq", { type: "result" }, xml("fin", { xmlns: NS.mam, ...complete }, set));
    if (!isRemote) return { result, messages };
    for (const message of messages) setImmediate(() => tell(message));
    return { result, messages: [] };
  };
  let tell = (_: Element): void => undefined;
  const room = setMucRoom(
    {},
    {
      requests: {
        requestAll,
        async request() {
          const error = infoErrors.shift();
          if (error) throw error;
          return xml("iq", {}, xml("query", { xmlns: NS.discoInfo }, xml("feature", { var: NS.mam })));
        },
      },
    },
  );
  tell = room.tell;
  return { ...room, asked };
}

const numbers = (events: readonly string[]) =>
  events.flatMap((event) => event.match(/no (\d+)$/)?.[1] ?? []).map(Number);
const from = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test("what the room said since the last message is taken in order, page by page", async () => {
  const room = archiveOf(130);
  room.links.set(muc, { ...room.link, archiveId: "7" });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  assert.deepEqual(room.asked, ["after 7", "after 57", "after 107"]);
  assert.deepEqual(numbers(room.events), from(8, 130));
  assert.equal(room.events[2], `archive/${muc}/8: no 8`);
  assert.equal(room.links.get(muc)?.archiveId, "130");
});

test("an archive of another server answers message by message, before or after it says that it is done", async () => {
  const room = archiveOf(9, { isRemote: true });
  room.links.set(muc, { ...room.link, archiveId: "7" });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  assert.deepEqual(numbers(room.events), [8, 9]);
});

test("a portal begins with the newest messages, and a plumbed room with none", async () => {
  const portal = archiveOf(200);
  portal.links.set(muc, { ...portal.link, kind: "portal" });
  await portal.puppets.ensureBot(portal.link);
  await portal.settled();
  assert.deepEqual(numbers(portal.events), from(151, 200));
  const plumbed = archiveOf(200);
  await plumbed.puppets.ensureBot(plumbed.link);
  await plumbed.settled();
  assert.deepEqual(numbers(plumbed.events), []);
  assert.equal(plumbed.links.get(muc)?.archiveId, "200");
});

test("an archive that answers with the same page for ever is read once", async () => {
  const asked: string[] = [];
  const room = setMucRoom(
    {},
    {
      requests: {
        requestAll: async ({ payload }) => {
          asked.push(String(valueIn(payload, "after")));
          const set = xml("set", { xmlns: NS.resultSet }, xml("last", {}, "4"));
          return {
            messages: [carrier(payload.attrs.queryid, 4)],
            result: xml("iq", {}, xml("fin", { xmlns: NS.mam }, set)),
          };
        },
        request: async () =>
          xml("iq", {}, xml("query", { xmlns: NS.discoInfo }, xml("feature", { var: NS.mam }))),
      },
    },
  );
  room.links.set(muc, { ...room.link, archiveId: "3" });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  assert.deepEqual(asked, ["3", "4"]);
});

test("an archive that has forgotten the last message begins anew", async () => {
  const room = archiveOf(20, { kept: 10 });
  room.links.set(muc, { ...room.link, kind: "portal", archiveId: "3" });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  assert.deepEqual(room.asked, ["after 3", "before "]);
  assert.deepEqual(numbers(room.events), from(10, 20));
});

test("a message that cannot be delivered is left out, and what may pass is tried again from there", async () => {
  let isDown = true;
  const taken: string[] = [];
  const room = setMucRoom(
    {},
    {
      requests: {
        requestAll: async (iq) => {
          const ids = from(Number(valueIn(iq.payload, "after")) + 1, 4);
          const set = xml("set", { xmlns: NS.resultSet }, xml("last", {}, "4"));
          return {
            messages: ids.map((id) => carrier(iq.payload.attrs.queryid, id)),
            result: xml("iq", {}, xml("fin", { xmlns: NS.mam, complete: "true" }, set)),
          };
        },
        request: async () =>
          xml("iq", {}, xml("query", { xmlns: NS.discoInfo }, xml("feature", { var: NS.mam }))),
      },
      async onArchived(_, message) {
        const body = message.getChildText("body") ?? "";
        if (body === "no 2") throw new Error("poison");
        if (body === "no 3" && isDown) throw new NoAnswerError("ECONNREFUSED", false, undefined);
        taken.push(body);
      },
    },
  );
  room.links.set(muc, { ...room.link, archiveId: "0" });
  await room.puppets.start();
  const link = room.links.get(muc) ?? room.link;
  await assert.rejects(room.puppets.caughtUp(link), NoAnswerError);
  isDown = false;
  await room.puppets.caughtUp(link);
  await room.puppets.caughtUp(link);
  assert.deepEqual(taken, ["no 1", "no 3", "no 4"]);
  await room.puppets.stop();
});

test("a broken archive holds up no room for longer than a few attempts, although each of them begins with the bot's arrival", async () => {
  const room = archiveOf(9, { errors: Array.from({ length: 9 }, () => new IqTimeoutError()) });
  room.links.set(muc, { ...room.link, archiveId: "7" });
  const arrival = occupantPresence(botJid, {
    room: muc,
    nick: "Causeway",
    isUnavailable: false,
    affiliation: "none",
    role: "participant",
    statuses: new Set([110]),
  });
  room.puppets.hear(arrival);
  const attempt = () => room.puppets.onPresence(room.link, botJid, arrival);
  for (let times = 0; times < 3; times += 1) await assert.rejects(attempt(), IqTimeoutError);
  await attempt();
  assert.equal(room.asked.length, 4);
});

test("a homeserver that is away for long costs nothing of what the archive has", async () => {
  const room = archiveOf(9);
  let isDown = true;
  const taken: string[] = [];
  const onArchived = async (_: unknown, message: Element) => {
    if (isDown) throw new NoAnswerError("ECONNREFUSED", false, undefined);
    taken.push(message.getChildText("body") ?? "");
  };
  const { puppets, links, link } = setMucRoom({}, { requests: room.requests, onArchived });
  links.set(muc, { ...link, archiveId: "7" });
  await puppets.start();
  for (let times = 0; times < 9; times += 1) await assert.rejects(puppets.caughtUp(link), NoAnswerError);
  isDown = false;
  await puppets.caughtUp(link);
  assert.deepEqual(taken, ["no 8", "no 9"]);
  await puppets.stop();
});

test("a room that did not say what it offers when the bot came is asked again, and not taken for one without archive", async () => {
  const room = archiveOf(9, { infoErrors: [new IqTimeoutError()] });
  room.links.set(muc, { ...room.link, archiveId: "7" });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  assert.deepEqual(numbers(room.events), [8, 9]);
});
