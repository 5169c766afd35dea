/** Databases as they are after years: through the store's own interface, and aged behind its back. */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { Config } from "../src/config/schema.ts";
import { type Addresses, createAddresses } from "../src/mapping/addresses.ts";
import type { EventId, RoomId, UserId } from "../src/matrix/ids.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import type { Store } from "../src/store/store.ts";
import type { BareJid } from "../src/xmpp/jid.ts";
import { clients, julietOf, romeoOf, roomOf } from "./people.ts";
import type { StubHomeserver } from "./stub-homeserver.ts";

/** What asks for a commit in the same turn shares one. */
const together = 10_000;

async function inCommits(count: number, save: (n: number) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < count; first += together) {
    const length = Math.min(together, count - first);
    await Promise.all(Array.from({ length }, (_, n) => save(first + n)));
  }
}

async function withStore(file: string, work: (store: Store) => Promise<void>): Promise<void> {
  const store = openSqliteStore({ path: file, now: Date.now });
  await work(store);
  await store.close();
}

function names({ homeserver, appservice, xmpp }: Config, xmppDomain: string) {
  const addresses: Addresses = createAddresses({
    homeserverDomain: homeserver.domain,
    component: xmpp.component,
    userPrefix: appservice.userPrefix,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
  });
  return (conversation: number) => {
    const jid = `${romeoOf(conversation)}@${xmppDomain}` as BareJid;
    const userId = `@${julietOf(conversation)}:${homeserver.domain}` as UserId;
    return {
      jid,
      ghost: addresses.ghostOf(jid),
      userId,
      julietJid: addresses.jidOfUser(userId),
      roomId: roomOf(conversation, homeserver.domain) as RoomId,
    };
  };
}

export interface Filling {
  config: Config;
  xmppDomain: string;
  conversations: number;
}

/** What a first contact leaves, for each conversation; the stub is told of the rooms. @returns the file. */
export async function fillConversations(
  file: string,
  { config, xmppDomain, conversations, stub }: Filling & { stub: Pick<StubHomeserver, "know"> },
): Promise<string> {
  const of = names(config, xmppDomain);
  const lookedAt = Date.now();
  const save = async (store: Store, conversation: number): Promise<void> => {
    const { jid, ghost, userId, roomId } = of(conversation);
    stub.know(ghost, conversation);
    const profile = { nick: undefined, name: jid, avatarHash: "", avatarMxc: undefined, lookedAt };
    await Promise.all([
      store.ghosts.save(ghost, jid),
      store.ghostProfiles.save(jid, profile),
      store.directRooms.save({ userId, jid, roomId, membership: "join" }),
    ]);
  };
  await withStore(file, (store) => inCommits(conversations, (conversation) => save(store, conversation)));
  return file;
}

/** How many messages come through the store; of these the others are copies, since a million would take minutes. */
const original = 10_000;
const mark = "$known-";

/** All rows of the originals once more for each copy, their IDs changed. */
function multiply(file: string, table: string, ids: readonly string[], copies: number): void {
  const db = new DatabaseSync(file);
  db.exec("pragma cache_size = -500000; pragma synchronous = off");
  const indexes = db
    .prepare("select name, sql from sqlite_schema where type = 'index' and sql is not null and tbl_name = ?")
    .all(table);
  const columns = db
    .prepare(`select name from pragma_table_info('${table}') where name <> 'seq'`)
    .all()
    .map(({ name }) => String(name));
  const values = columns.map((column) => (ids.includes(column) ? `${column} || ?1` : column));
  const copy = db.prepare(
    `insert into ${table} (${columns.join(", ")}) select ${values.join(", ")} from ${table} ` +
      "where seq between ?2 and ?3 order by seq",
  );
  const { first = 0, last = 0 } =
    db
      .prepare(`select min(seq) as first, max(seq) as last from ${table} where event_id glob '${mark}*'`)
      .get() ?? {};
  db.exec("begin");
  // Made anew from all at once, they take a fraction of the time.
  for (const { name } of indexes) db.exec(`drop index ${name}`);
  for (let n = 1; n < copies; n += 1) copy.run(`-${n}`, first, last);
  for (const { sql } of indexes) db.exec(String(sql));
  db.exec("commit");
  db.close();
}

/** Messages that have crossed, with the events they came in: half of them in the clients' first conversations. */
export async function fillMessages(
  file: string,
  { config, xmppDomain, conversations, messages }: Filling & { messages: number },
): Promise<void> {
  const of = names(config, xmppDomain);
  const save = async (store: Store, n: number): Promise<void> => {
    const { julietJid, userId, roomId } = of(n % 2 === 0 ? (n / 2) % clients : n % conversations);
    const eventId = `${mark}${createHash("sha256").update(String(n)).digest("base64")}` as EventId;
    await Promise.all([
      store.transactions.note(roomId, eventId),
      store.messages.save({
        roomId,
        eventId,
        part: 0,
        origin: "matrix",
        userId,
        jid: julietJid,
        messageId: eventId,
        originId: eventId,
        stanzaId: undefined,
        rootId: undefined,
        replyTo: undefined,
        threadId: undefined,
        isRedacted: false,
      }),
    ]);
  };
  await withStore(file, (store) => inCommits(original, (n) => save(store, n)));
  multiply(file, "messages", ["event_id", "message_id", "origin_id"], messages / original);
  multiply(file, "seen_events", ["event_id"], messages / original);
}

const day = 24 * 60 * 60_000;

/** Makes the older half of what is remembered so old that it is to be forgotten. */
export function ageHalf(file: string): void {
  const db = new DatabaseSync(file);
  const half = (table: string): string => `seq <= (select (min(seq) + max(seq)) / 2 from ${table})`;
  db.exec(`update messages set noted_at = noted_at - ${400 * day} where ${half("messages")}`);
  db.exec(`update seen_events set received_at = received_at - ${400 * day} where ${half("seen_events")}`);
  db.close();
}

/** Whether anything is remembered that is to be forgotten. */
export function hasOld(file: string): boolean {
  const db = new DatabaseSync(file, { readOnly: true });
  const before = Date.now() - 366 * day;
  const isIn = (table: string, column: string): boolean =>
    db.prepare(`select 1 from ${table} where ${column} < ? limit 1`).get(before) !== undefined;
  const found = isIn("messages", "noted_at") || isIn("seen_events", "received_at");
  db.close();
  return found;
}
