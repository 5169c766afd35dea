import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessInfo } from "../../src/cluster/cluster.ts";
import type { Caller } from "../../src/commands/command.ts";
import { createQueueCommands } from "../../src/commands/queue.ts";
import { createStatus } from "../../src/commands/status.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import type { RoomLink } from "../../src/store/room-records.ts";
import type { ParkedJob, WaitingJob } from "../../src/store/store.ts";
import { type BareJid, fullJid } from "../../src/xmpp/jid.ts";
import { juliet, romeo } from "./sample.ts";

const minute = 60_000;
const garden = "!garden:hs.example" as RoomId;
const muc = "garden@conference.xmpp.example" as BareJid;
const admin: Caller = { ...juliet, level: "admin" };
const inGarden: Caller = { ...juliet, place: { roomId: garden, muc } };
const link: RoomLink = {
  roomId: garden,
  muc,
  kind: "plumbed",
  mode: "puppets",
  password: undefined,
  linkedBy: undefined,
  archiveId: undefined,
  isAnonymous: true,
};

const lane = "xmpp romeo@xmpp.example juliet%hs.example@bridge.xmpp.example";
const job = (id: number, ageMinutes: number, more: Partial<ParkedJob> = {}): ParkedJob => ({
  id,
  lane,
  cause: `c${id}`,
  work: { kind: "stanza", xml: "<message from='romeo@xmpp.example/phone'/>" },
  acceptedAt: (10_000 - ageMinutes) * minute,
  attempts: 3,
  problem: "could not join: 403",
  ...more,
});

function set(parkedJobs: ParkedJob[], waitingJobs: WaitingJob[] = []) {
  const done: string[] = [];
  const lanes = {
    parked: async () => parkedJobs,
    queued: async () => waitingJobs,
    unpark: async (id: number) => void done.push(`unpark ${id}`),
    drop: async (id: number) => void done.push(`drop ${id}`),
  };
  const commands = createQueueCommands({
    lanes,
    wake: (names) => done.push(...[...names].map((name) => `wake ${name}`)),
    retryNow: () => done.push("retry now"),
    now: () => 10_000 * minute,
  });
  const say = async (caller: Caller, name: string, which?: string): Promise<string> => {
    const command = commands.find((candidate) => candidate.name === name);
    if (!command) throw new Error(`no command ${name}`);
    return (await command.run(caller, { which })).text;
  };
  return { say, done };
}

async function status(
  caller: Caller,
  problems: Record<string, string>,
  ofLink?: RoomLink,
  processes: ProcessInfo[] = [],
): Promise<string> {
  const command = createStatus({
    problems: () => problems,
    processes: async () => processes,
    now: () => 10_000 * minute,
    parked: async () => [job(1, 1, { lane: `xmpp ${muc}` })],
    queued: async () => [],
    targets: { roomOr: async () => ({ roomId: garden, servers: [], link: ofLink }) },
    doorOf: async () => ({ address: "#garden%hs.example@bridge.xmpp.example" as BareJid, guests: 2 }),
    healthOf: async () => ({ link, isHeard: false, fromXmpp: 3, fromMatrix: 2 }),
    pending: async () => [],
  });
  return (await command.run(caller, {})).text;
}

test("status names the parts that something is wrong with, and to administrators what it is", async () => {
  const problems = { homeserver: "not yet reached", database: "disk is full" };
  assert.equal(await status(juliet, {}), "All is well.");
  assert.equal(await status(admin, problems), "homeserver: not yet reached\ndatabase: disk is full");
  assert.equal(
    await status(juliet, { database: "disk is full" }),
    "Something is wrong with this part: database",
  );
});

test("administrators are told of the processes where there are several", async () => {
  const of = (id: string, ageMinutes: number, isLead: boolean): ProcessInfo => ({
    id,
    host: `${id}.example`,
    version: "1.2.3",
    startedAt: (10_000 - ageMinutes) * minute,
    isLead,
    report: {},
  });
  const two = [of("verona", 120, true), of("mantua", 5, false)];
  const told = [
    "All is well.",
    "Processes:",
    "verona on verona.example, version 1.2.3, up for 2 h, leads",
    "mantua on mantua.example, version 1.2.3, up for 5 min",
  ];
  assert.equal(await status(admin, {}, undefined, two), told.join("\n"));
  assert.equal(await status(admin, {}, undefined, two.slice(0, 1)), "All is well.");
  assert.equal(await status(juliet, {}, undefined, two), "All is well.");
});

test("status in a room says what it is linked with, who is there and what was given up", async () => {
  assert.equal(
    await status(inGarden, {}, link),
    `This room is linked with ${muc} (plumbed): 3 from XMPP here, 2 from Matrix there.\n` +
      `The bot is not in ${muc} now, so nothing comes from there; it tries to get in.\n` +
      "One message was given up: !xmpp parked\nThe bridge itself is well.",
  );
  assert.match(await status(inGarden, {}), /^This room is not linked\. To link it: !xmpp link ROOM$/m);
  assert.match(
    await status(inGarden, {}),
    /^XMPP users enter it as #garden%hs\.example@bridge\.xmpp\.example; in there now: 2$/m,
  );
});

test("parked messages are listed with number, lane, age and problem, the newest first", async () => {
  const { say } = set([job(1, 3 * 24 * 60), job(2, 150), job(3, 5)]);
  assert.equal(
    await say(admin, "parked"),
    `Given up:\n• 3: c3 in ${lane}, 5 min ago: could not join: 403\n` +
      `• 2: c2 in ${lane}, 2 h ago: could not join: 403\n• 1: c1 in ${lane}, 3 days ago: could not join: 403\n` +
      "To try again: retry NUMBER. To forget: drop NUMBER",
  );
  assert.equal(await set([]).say(admin, "parked"), "No message is parked.");
});

test("others see their own messages, and those of the room where they ask", async () => {
  const jobs = [job(1, 1), job(2, 1, { lane: `matrix ${garden}`, work: { kind: "bounce", xml: "" } })];
  assert.equal(await set(jobs).say(juliet, "parked"), "No message is parked.");
  assert.match(await set(jobs).say(romeo, "parked"), /^Given up:\n• 1: [^•]*$/);
  assert.match(await set(jobs).say(inGarden, "parked"), /^Given up:\n• 2: [^•]*$/);
});

test("an occupant's own messages are those under the nick, and what is private in the room is not listed", async () => {
  const from = (nick: string) => ({ kind: "stanza" as const, xml: `<message from='${muc}/${nick}'/>` });
  const jobs = [
    job(1, 1, { lane: `xmpp ${muc}`, work: from("Mercutio") }),
    job(2, 1, { lane: `xmpp ${muc}`, work: from("Romeo") }),
    job(3, 1, { lane: `xmpp ${muc} juliet%hs.example@bridge.xmpp.example`, work: from("Mercutio") }),
  ];
  const occupant: Caller = {
    network: "xmpp",
    jid: fullJid(muc, "Romeo"),
    level: "user",
    place: { muc, roomId: garden },
    occupant: { nick: "Romeo", affiliation: "none" },
  };
  const { say, done } = set(jobs);
  assert.match(await say(occupant, "parked"), /^Given up:\n• 2: [^•]*\n• 1: [^•]*$/);
  await assert.rejects(say(occupant, "drop", "1"), /no such message of yours/);
  await say(occupant, "drop", "all");
  assert.deepEqual(done, ["drop 2"]);
});

test("what waits is listed without what has only just come, and can be tried at once", async () => {
  const { say, done } = set([], [job(1, 5), job(2, 0, { attempts: 0 })]);
  assert.match(await say(admin, "queue"), /^On their way:\n• 1: [^•]*\nTo try now: retry all$/);
  await say(admin, "retry", "all");
  assert.deepEqual(done, ["retry now"]);
});

test("a parked message is put back, and its lane runs again", async () => {
  const { say, done } = set([job(1, 5), job(2, 5)]);
  assert.match(await say(admin, "retry", "2"), /^Tried again now: 1\./);
  assert.deepEqual(done, ["unpark 2", `wake ${lane}`]);
  await assert.rejects(say(admin, "retry", "7"), /There is no such message/);
});

test("only their sender or an administrator may have messages forgotten, and all means those given up", async () => {
  const jobs = [job(1, 5), job(2, 5, { lane: `matrix ${garden}`, work: { kind: "bounce", xml: "" } })];
  const { say, done } = set(jobs, [job(3, 5)]);
  await assert.rejects(say(inGarden, "drop", "2"), /no such message of yours/);
  await say(romeo, "drop", "all");
  await say(admin, "drop", "all");
  await say(admin, "drop", "3");
  assert.deepEqual(done, ["drop 1", "drop 2", "drop 1", "drop 3"]);
});
