/** Answers what clients look up of the XMPP network through their homeserver. */
import {
  locationAt,
  locationsFor,
  type Network,
  protocol,
  readAddress,
  userAt,
  usersFor,
} from "../mapping/third-party.ts";
import type { ThirdParty } from "../matrix/third-party.ts";
import type { Ghosts } from "./ghosts.ts";

export function createThirdParty({ ghosts, ...network }: Network & { ghosts: Ghosts }): ThirdParty {
  const one = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);
  return {
    protocols: { xmpp: protocol },
    users(fields) {
      const jid = readAddress(fields);
      return jid === undefined ? [] : one(userAt(jid, network));
    },
    locations(fields) {
      const jid = readAddress(fields);
      return jid === undefined ? [] : one(locationAt(jid, network));
    },
    usersOf: async (userId) => usersFor(userId, await ghosts.jidOf(userId)),
    locationsOf: (alias) => locationsFor(alias, network),
  };
}
