/** What rooms of XMPP services say of themselves, asked when it is first needed and when they say that it has changed. */
import { LRUCache } from "lru-cache";
import { infoQueryOf, type MucInfo, readMucInfo } from "../mapping/muc-info.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { xml } from "../xmpp/stanza.ts";

export interface MucInfos {
  /** As it was when it was last asked. @throws what `IqRequests.request` throws. */
  of(muc: BareJid): Promise<MucInfo>;
  /** As it is now. */
  ask(muc: BareJid): Promise<MucInfo>;
}

export interface MucInfosDeps {
  component: BareJid;
  requests: Pick<IqRequests, "request">;
}

const timeoutSeconds = 15;

export function createMucInfos({ component, requests }: MucInfosDeps): MucInfos {
  const known = new LRUCache<BareJid, Promise<MucInfo>>({ max: 10_000 });

  const read = async (muc: BareJid): Promise<MucInfo> => {
    const payload = xml("query", { xmlns: NS.discoInfo });
    const result = await requests.request({ from: component, to: muc, payload, timeoutSeconds });
    return readMucInfo(infoQueryOf(result) ?? payload);
  };

  const ask = (muc: BareJid): Promise<MucInfo> => {
    const asked = read(muc).catch((error) => {
      if (known.get(muc) === asked) known.delete(muc);
      throw error;
    });
    known.set(muc, asked);
    return asked;
  };

  return { of: (muc) => known.get(muc) ?? ask(muc), ask };
}
