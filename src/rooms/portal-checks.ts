/** What has to be true before the portal of an XMPP room is opened. */
import { UndeliverableError } from "../bridge/failure.ts";
import { isServiceAllowed, levelOf, mayOpen, type Permissions } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { MucInfo } from "../mapping/muc-info.ts";
import type { UserId } from "../matrix/ids.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, domainOf, localOf } from "../xmpp/jid.ts";
import type { Links } from "./links.ts";
import type { MucInfos } from "./muc-infos.ts";

export interface PortalChecksDeps {
  config: Pick<Config["rooms"], "access" | "mucServices" | "maxPerUser">;
  permissions: Permissions;
  component: BareJid;
  links: Pick<Links, "all">;
  infos: Pick<MucInfos, "ask">;
}

export interface PortalChecks {
  /** @throws UndeliverableError where portals are not for them. @param by undefined for whoever has the address. */
  mayUse(by: UserId | undefined): void;
  /** @throws UndeliverableError where that room is not for them. */
  mayOpen(muc: BareJid, by: UserId | undefined): void;
  /** @throws UndeliverableError where there is no such room. */
  look(muc: BareJid): Promise<MucInfo>;
}

export const no = (sentence: string): UndeliverableError =>
  new UndeliverableError("cancel", "not-allowed", sentence);
export const tooMany = (count: number): UndeliverableError =>
  no(`You have opened or linked as many rooms as one person may (${count}): unlink one that is not needed.`);

export function createPortalChecks(deps: PortalChecksDeps): PortalChecks {
  const { config, permissions, component, links, infos } = deps;
  const levelFor = (by: UserId | undefined) => (by === undefined ? "user" : levelOf(permissions, by));

  const mayUse: PortalChecks["mayUse"] = (by) => {
    if (!mayOpen(config, levelFor(by), "portal"))
      throw no("You may not open XMPP rooms through this bridge.");
  };

  return {
    mayUse,

    mayOpen(muc, by) {
      mayUse(by);
      const count = by === undefined ? 0 : links.all().filter(({ linkedBy }) => linkedBy === by).length;
      if (levelFor(by) !== "admin" && count >= config.maxPerUser) throw tooMany(count);
      if (domainOf(muc) === component)
        throw no(`${muc} is an address of this very bridge: it leads to Matrix.`);
      if (localOf(muc) === undefined) throw no(`${muc} is no room, but perhaps a service that has some.`);
      if (!isServiceAllowed(config.mucServices, domainOf(muc)))
        throw no(`The operator of this bridge does not let rooms of ${domainOf(muc)} be opened.`);
    },

    async look(muc) {
      try {
        const info = await infos.ask(muc);
        if (info.isMuc) return info;
      } catch (error) {
        if (!(error instanceof StanzaRefusedError)) throw error;
        const { condition, type } = error.error;
        if (condition === "item-not-found") {
          throw new UndeliverableError("cancel", "item-not-found", `There is no XMPP room ${muc}.`);
        }
        if (type === "wait" || condition.startsWith("remote-server")) throw error;
      }
      throw no(`${muc} is no XMPP room.`);
    },
  };
}
