/** Runs a scenario with real clients on a real stage. */
import type { MatrixUser } from "../servers/matrix-user.ts";
import type { Stage } from "../servers/stage.ts";
import { act } from "./matrix-actions.ts";
import { fillIn, type Names } from "./pattern.ts";
import type { Scenario, Step } from "./script.ts";
import { createSession, type Session } from "./session.ts";

const component = "bridge.xmpp.test";
const matrixNames = ["juliet", "nurse", "paris"];
const xmppNames = ["romeo", "mercutio", "benvolio"];
const waitMs = 15_000;

export interface Cast {
  perform: (scenario: Scenario) => Promise<void>;
}

/** What belongs to one performance. */
interface Run {
  stage: Stage;
  matrixUser: (name: string) => Promise<MatrixUser>;
  alias: string;
  names: Names;
  sessions: Map<string, Session>;
  seen: Set<object>;
  chat: { roomId: string };
  room?: { id: string; owner: MatrixUser };
  marks: number;
}

/** People who are known to all scenarios; rooms and sessions are a scenario's own. */
export async function createCast(stage: Stage): Promise<Cast> {
  const matrixUsers = new Map<string, Promise<MatrixUser>>();
  for (const name of xmppNames) await stage.prosody.addUser(name, `${name}-password`);
  let performed = 0;
  return {
    async perform({ steps }) {
      performed += 1;
      const run: Run = {
        stage,
        matrixUser(name) {
          const user = matrixUsers.get(name) ?? stage.matrixUser(name);
          matrixUsers.set(name, user);
          return user;
        },
        alias: `garden${performed}`,
        names: new Map([
          ["room", `#garden${performed}%hs.test@${component}`],
          ["component", component],
          ...xmppNames.map((name): [string, string] => [name, `${name}@xmpp.test`]),
          ...matrixNames.map((name): [string, string] => [name, `${name}%hs.test@${component}`]),
        ]),
        sessions: new Map(),
        seen: new Set(),
        chat: { roomId: "" },
        marks: 0,
      };
      try {
        for (const group of inGroups(steps)) await performGroup(run, group);
      } finally {
        await Promise.allSettled([...run.sessions.values()].map((session) => session.user.stop()));
      }
    },
  };
}

/** XMPP addresses have no capitals of their own. */
const escaped = (letter: string): string => `\\${letter.charCodeAt(0).toString(16)}`;

/** Stanzas that one session expects in any order belong together. */
function inGroups(steps: readonly Step[]): [Step, ...Step[]][] {
  const groups: [Step, ...Step[]][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    const goesOn =
      step.kind === "expect in any order" && last?.[0].kind === step.kind && last[0].who === step.who;
    if (last && goesOn) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

async function performGroup(run: Run, group: [Step, ...Step[]]): Promise<void> {
  const [step] = group;
  try {
    if (matrixNames.includes(step.who)) await performOnMatrix(run, step);
    else await performOnXmpp(run, await sessionOf(run, step.who), group);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const transcript = run.sessions.get(step.who)?.transcript() ?? "";
    throw new Error(`line ${step.line}: ${step.who} ${step.text}\n${said}\n${transcript}`);
  }
}

async function performOnMatrix(run: Run, { who, text }: Step): Promise<void> {
  const { names, alias, seen, chat, matrixUser } = run;
  const user = await matrixUser(who);
  const scene = {
    user,
    roomId: run.room?.id ?? "",
    setRoom(id: string) {
      run.room = { id, owner: user };
      names.set("room id", id);
      const local = id.replace(":", "%").replaceAll(/[A-Z]/g, escaped);
      names.set("room by id", `${local}@${component}`);
    },
    mxidOf: async (name: string) =>
      matrixNames.includes(name) ? (await matrixUser(name)).userId : `@_xmpp_${name}=40xmpp.test:hs.test`,
    keep: (key: string, value: string) => names.set(key, value),
    alias,
    async mark() {
      const body = await mark(run);
      await user.waitFor(({ content }) => content.body === body, waitMs);
    },
    seen,
    chat,
  };
  await act(
    scene,
    text.replaceAll(/(?<! as )\{([^{}"]+)\}/g, (whole, key: string) => names.get(key) ?? whole),
  );
}

async function sessionOf({ stage, alias, names, sessions }: Run, who: string): Promise<Session> {
  const known = sessions.get(who);
  if (known) return known;
  const [name = "", resource = "test"] = who.split("/");
  // What is still under way to a session of an earlier scenario is not for this one.
  const session = createSession(await stage.xmppSession(name, `${resource}-${alias}`), component);
  names.set(who, session.user.jid);
  sessions.set(who, session);
  return session;
}

async function performOnXmpp(run: Run, session: Session, group: [Step, ...Step[]]): Promise<void> {
  const { names } = run;
  const [{ kind, text }] = group;
  if (kind === "send") return session.send(fillIn(text, names));
  if (kind === "expect in any order")
    return session.expectAll(
      group.map((step) => step.text),
      names,
    );
  if (kind === "expect at last") return session.expectAtLast(text, names);
  if (kind === "expect")
    return text === "nothing" ? expectNothing(run, session) : session.expect(text, names);
  const [, nick] = /^joins as (.+)$/.exec(text) ?? [];
  if (nick !== undefined) return join(session, names, nick);
  const [, words] = /^has never again heard "(.*)"$/.exec(text) ?? [];
  if (words !== undefined) return session.assertHeardOnce(words);
  if (text === "is online") return;
  if (text === "disconnects") return session.user.stop();
  throw new Error("no XMPP session can do this");
}

/** A join in full is a scenario of its own; the others begin after it. */
async function join(session: Session, names: Names, nick: string): Promise<void> {
  const wish = '<x xmlns="muc"><history maxstanzas="0"/></x>';
  await session.send(fillIn(`<presence to="{room}/${nick}">${wish}</presence>`, names));
  const self = '<x xmlns="muc#user"><status code="110"/></x>';
  await session.expectAtLast(`<presence from="{room}/${nick}">${self}</presence>`, names);
  await session.expectAtLast('<message type="groupchat" from="*"><subject/></message>', names);
}

/** Says something that all who are in the room get after all that came before. */
async function mark(run: Run): Promise<string> {
  if (!run.room) throw new Error("nobody has made a room yet");
  run.marks += 1;
  const body = `marker ${run.marks} of ${run.alias}`;
  const id = await run.room.owner.sendText(run.room.id, body);
  await run.room.owner.waitFor((event) => event.event_id === id, waitMs);
  return body;
}

/** What comes before a marker that all insiders have, and before an answer of the own server, has come by then. */
async function expectNothing(run: Run, quiet: Session): Promise<void> {
  const room = run.names.get("room") ?? "";
  const inside = [...run.sessions.values()].filter((session) => session.isIn(room));
  const body = inside.length > 0 ? await mark(run) : "";
  for (const session of inside) {
    await session.user.waitFor((stanza) => stanza.getChildText("body") === body, waitMs);
  }
  const id = `quiet-${quiet.transcript().length}`;
  await quiet.send(`<iq type="get" id="${id}" to="xmpp.test"><ping xmlns="ping"/></iq>`);
  await quiet.expectNothing(({ attrs }) => attrs.id === id);
}
