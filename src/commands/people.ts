/** The commands that find people and rooms of the other network, and begin a conversation with one person. */
import type { DirectRooms } from "../bridge/direct-rooms.ts";
import { isServiceAllowed } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { describe } from "../mapping/descriptions.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Linked } from "../rooms/link-checks.ts";
import { type BareJid, bareOf, domainOf, localOf, parseBareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { Found } from "../xmpp/search.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";
import { written } from "./chat.ts";
import { type Command, CommandRefusal } from "./command.ts";
import { listOf } from "./lists.ts";
import type { Targets } from "./targets.ts";

export interface PeopleCommandsDeps {
  addresses: Addresses;
  component: BareJid;
  rules: Pick<Config["rooms"], "mucServices" | "homeservers">;
  targets: Targets;
  linked: Linked;
  directRooms: Pick<DirectRooms, "open">;
  profileOf(userId: UserId): Promise<unknown>;
  /** Matrix users, by name; undefined where this one asks too often. */
  searchUsers(term: string, asker: string): Promise<Found[] | undefined>;
  matrix: Pick<MatrixClient, "publicRooms">;
  /** Asks an XMPP entity. @throws Error where it refuses or does not answer. */
  ask(to: BareJid, payload: Element): Promise<Element>;
}

/** Services that are asked, at most; each may be slow. */
const mostServices = 8;
const mostFound = 20;

export function createPeopleCommands(deps: PeopleCommandsDeps): Command[] {
  const { addresses, component, rules, targets, linked, ask } = deps;

  const chat: Command = {
    name: "chat",
    summary: "begins a conversation with somebody of the other network",
    fields: [{ name: "who", label: "Address of the person", required: true }],
    examples: ["chat bob@xmpp.example", "chat @alice:matrix.example"],
    async run(caller, { who = "" }) {
      const person = await targets.person(who);
      if (person.network === caller.network)
        throw new CommandRefusal("You are both on the same network: write to them directly.");
      if (caller.network === "matrix" && person.network === "xmpp") {
        const { roomId } = await deps.directRooms.open(caller.userId, person.jid);
        return { text: `Your conversation with ${person.jid}: https://matrix.to/#/${roomId}` };
      }
      if (person.network !== "matrix") throw new CommandRefusal("That is no Matrix user.");
      if (!(await deps.profileOf(person.userId)))
        throw new CommandRefusal(`There is no Matrix user ${person.userId}.`);
      const jid = addresses.jidOfUser(person.userId);
      return { text: `Write to ${jid}, which is ${person.userId}: xmpp:${jid}?message` };
    },
  };

  /** Undefined where it does not answer: one service less. */
  const answerOf = (to: BareJid, payload: Element): Promise<Element | undefined> =>
    ask(to, payload).catch(() => undefined);

  const itemsOf = async (service: BareJid): Promise<{ jid: BareJid; name: string }[]> => {
    const answer = await answerOf(service, xml("query", { xmlns: NS.discoItems }));
    const items = (answer && readChild(answer, NS.discoItems, "query")?.getChildren("item")) ?? [];
    return items.flatMap(({ attrs }) => {
      const jid = parseBareJid(String(attrs.jid));
      return jid ? [{ jid, name: String(attrs.name ?? "") }] : [];
    });
  };

  const isRoomService = async (service: BareJid): Promise<boolean> => {
    const answer = await answerOf(service, xml("query", { xmlns: NS.discoInfo }));
    return answer !== undefined && describe(answer).isRoom;
  };

  /** Those beside the bridge, those that the operator names, and those of rooms that are linked. */
  const roomServices = async (): Promise<BareJid[]> => {
    const server = component.slice(component.indexOf(".") + 1) as BareJid;
    const beside = (await itemsOf(server)).map(({ jid }) => jid).filter((jid) => localOf(jid) === undefined);
    const named = rules.mucServices.allow.filter((pattern) => !pattern.includes("*"));
    const known = linked.all().map(({ muc }) => domainOf(muc));
    const all = [...new Set([...named, ...known, ...beside] as BareJid[])].filter(
      (service) => service !== component && isServiceAllowed(rules.mucServices, service),
    );
    const checked = await Promise.all(
      all.slice(0, mostServices).map(async (service) => ((await isRoomService(service)) ? [service] : [])),
    );
    return checked.flat();
  };

  const xmppRooms = async (fits: (text: string) => boolean): Promise<string[]> => {
    const rooms = (await Promise.all((await roomServices()).map(itemsOf))).flat();
    return rooms
      .filter(({ jid, name }) => fits(`${jid} ${name}`))
      .map(({ jid, name }) => (name ? `${jid} – ${name}` : jid));
  };

  const matrixRooms = async (search: string): Promise<string[]> => {
    const { rooms } = await deps.matrix.publicRooms({ limit: mostFound, search });
    return rooms.flatMap(({ alias, name }) => {
      if (!alias || addresses.jidOfAlias(alias)) return [];
      return [`${addresses.jidOfRoom(alias)} – ${name ?? alias} (${alias})`];
    });
  };

  const search: Command = {
    name: "search",
    summary: "finds rooms of the other network, and on Matrix people too",
    fields: [{ name: "words", label: "Words of a name or address", required: true }],
    examples: ["search garden"],
    async run(caller, { words = "" }) {
      const wanted = words.toLowerCase().split(/\s+/);
      const fits = (text: string): boolean => wanted.every((word) => text.toLowerCase().includes(word));
      if (caller.network === "matrix") {
        const lines = (await xmppRooms(fits)).slice(0, mostFound);
        if (lines.length === 0) {
          return {
            text: `No public room of the XMPP services that I know has these words. If you know its address: ${written(caller, "join ADDRESS")}`,
          };
        }
        return {
          text: `${listOf("Rooms on XMPP:", lines)}\nTo enter one: ${written(caller, "join ADDRESS")}`,
        };
      }
      const people = await deps.searchUsers(words, bareOf(caller.jid));
      if (!people) throw new CommandRefusal("You search too often; try again in a minute.");
      const found = people.slice(0, mostFound).map(({ jid, name }) => `${jid} – ${name}`);
      const text = [
        listOf("People on Matrix:", found),
        listOf("Rooms on Matrix:", await matrixRooms(words), "none"),
      ];
      return { text: text.join("\n") };
    },
  };

  return [chat, search];
}
