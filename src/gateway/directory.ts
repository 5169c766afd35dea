/** The public rooms of the homeserver as XMPP clients browse and search them: XEP-0045 1.35 §6.3, by XEP-0030 and XEP-0059. */
import { LRUCache } from "lru-cache";
import type { Addresses } from "../mapping/addresses.ts";
import { pageOf, readPageRequest, resultSet } from "../mapping/result-sets.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { domainOf, type RoomId } from "../matrix/ids.ts";
import type { PublicRoom } from "../matrix/rooms.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { type BareJid, bareOf, type Jid, localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { Found, SearchDeps } from "../xmpp/search.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

export interface DirectoryDeps {
  addresses: Pick<Addresses, "jidOfRoom">;
  matrix: Pick<MatrixClient, "publicRooms">;
  /** Whether an XMPP user may enter rooms at all. */
  permits(jid: BareJid): boolean;
  /** Whether rooms of the homeserver may be entered. */
  allowsServer(server: string): boolean;
  /** Whether it is a room of an XMPP service, which is to be entered there. */
  isLinked(roomId: RoomId): boolean;
}

export interface Directory {
  /** What disco#items lists. @throws IqRefusal. */
  rooms(request: Element): Promise<Element[]>;
  /** A search that finds rooms after people. */
  withRooms(search: SearchDeps["search"]): SearchDeps["search"];
}

/** As many as anybody browses through. */
const [pages, perPage] = [4, 500];
const mostItems = 100;
const mostFound = 25;
const minute = 60_000;

export function createDirectory(deps: DirectoryDeps): Directory {
  const { addresses, matrix, permits, allowsServer, isLinked } = deps;
  const lists = new LRUCache<"all", Promise<Found[]>>({ max: 1, ttl: minute });

  const listed = ({ roomId, alias, name }: PublicRoom): Found[] => {
    const server = domainOf(alias ?? roomId);
    if (isLinked(roomId) || (server !== undefined && !allowsServer(server))) return [];
    const jid = addresses.jidOfRoom(alias ?? roomId);
    return [{ jid, name: name ?? localOf(jid) ?? jid }];
  };

  const readAll = async (): Promise<Found[]> => {
    const all: Found[] = [];
    let since: string | undefined;
    for (let page = 0; page < pages; page += 1) {
      const { rooms, next } = await matrix.publicRooms({
        limit: perPage,
        ...(since !== undefined && { since }),
      });
      all.push(...rooms.flatMap(listed));
      if (next === undefined) break;
      since = next;
    }
    return all;
  };

  const all = (): Promise<Found[]> => {
    const known = lists.get("all");
    if (known) return known;
    const reading = readAll().catch((error) => {
      lists.delete("all");
      throw error;
    });
    lists.set("all", reading);
    return reading;
  };

  return {
    async rooms(request) {
      if (!permits(bareOf(request.attrs.from as Jid))) return [];
      const query = readChild(request, NS.discoItems, "query");
      const asked = query && readPageRequest(query);
      const page = pageOf(await all(), asked, { idOf: ({ jid }) => jid, most: mostItems });
      if (!page) throw new IqRefusal("cancel", "item-not-found");
      const { items, index, count } = page;
      const isWhole = !asked && items.length === count;
      return [
        ...items.map(({ jid, name }) => xml("item", { jid, name })),
        ...(isWhole ? [] : [resultSet({ first: items[0]?.jid, last: items.at(-1)?.jid, index, count })]),
      ];
    },

    withRooms: (search) => async (term, asker) => {
      const people = await search(term, asker);
      if (!people || !permits(bareOf(asker as Jid))) return people;
      const { rooms } = await matrix.publicRooms({ limit: mostFound, search: term });
      return [...people, ...rooms.flatMap(listed)];
    },
  };
}
