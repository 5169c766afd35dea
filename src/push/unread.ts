/** The number of unread messages as the bridge's own status, for those who have the bridge in their roster. */
import { createLocks } from "../bridge/locks.ts";
import { unreadStatus } from "../mapping/notifications.ts";
import type { Log } from "../ops/log.ts";
import type { PushKey, PushKeys } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";

export interface UnreadDeps {
  store: Pick<PushKeys, "ofJid" | "setUnread">;
  /** Sends the bridge's presence again to an XMPP user who may see it. */
  showPresence(jid: BareJid): Promise<void>;
  log: Log;
}

export type Unread = ReturnType<typeof createUnread>;

export function createUnread({ store, showPresence, log }: UnreadDeps) {
  const locks = createLocks();
  /** One after the other, so that the last one says what is so; best effort. */
  const show = (jid: BareJid): Promise<void> =>
    locks
      .run(jid, () => showPresence(jid))
      .catch((error) => log.info("the number of unread messages was not shown", { jid, error }));

  return {
    show,

    async note({ digest, jid }: PushKey, unread: number): Promise<void> {
      if (await store.setUnread(digest, unread)) await show(jid);
    },

    /** What the status says, over all push keys of the address. */
    async statusOf(jid: BareJid): Promise<string | undefined> {
      const keys = await store.ofJid(jid);
      return unreadStatus(keys.reduce((sum, { unread }) => sum + unread, 0));
    },
  };
}
