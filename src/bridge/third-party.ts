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

export interface ThirdPartyDeps extends Network {
  ghosts: Ghosts;
  /** An mxc:// URI, or "" while there is none. */
  icon(): string;
}

export function createThirdParty({ ghosts, icon, ...network }: ThirdPartyDeps): ThirdParty {
  const one = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);
  return {
    get protocols() {
      return { xmpp: { ...protocol, icon: icon() } };
    },
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
