/** Which rooms are linked, known without waiting: what comes in is sorted by it. */
import type { RoomId } from "../matrix/ids.ts";
import type { RoomLink, RoomLinks as StoredLinks } from "../store/room-records.ts";
import type { BareJid } from "../xmpp/jid.ts";

export interface Links {
  /** Reads what is stored; before that, nothing is linked. */
  load(): Promise<void>;
  ofRoom(roomId: RoomId): RoomLink | undefined;
  ofMuc(muc: BareJid): RoomLink | undefined;
  all(): RoomLink[];
  /** Durable; takes the place of an earlier link of the same room. */
  save(link: RoomLink): Promise<void>;
  /** Durable; puppets and occupants are forgotten with it. */
  forget(roomId: RoomId): Promise<void>;
  /** The link of a room becomes another one: it goes on in another Matrix room, or with another MUC. */
  move(roomId: RoomId, link: RoomLink): Promise<void>;
  setArchiveId(muc: BareJid, archiveId: string): Promise<void>;
}

export function createLinks(store: StoredLinks): Links {
  const byRoom = new Map<RoomId, RoomLink>();
  const byMuc = new Map<BareJid, RoomLink>();
  const remember = (link: RoomLink): void => {
    const before = byRoom.get(link.roomId);
    if (before) byMuc.delete(before.muc);
    byRoom.set(link.roomId, link);
    byMuc.set(link.muc, link);
  };

  return {
    async load() {
      for (const link of await store.all()) remember(link);
    },
    ofRoom: (roomId) => byRoom.get(roomId),
    ofMuc: (muc) => byMuc.get(muc),
    all: () => [...byRoom.values()],
    async save(link) {
      await store.save(link);
      remember(link);
    },
    async forget(roomId) {
      const link = byRoom.get(roomId);
      await store.forget(roomId);
      byRoom.delete(roomId);
      if (link) byMuc.delete(link.muc);
    },
    async move(roomId, link) {
      const before = byRoom.get(roomId);
      await store.move(roomId, link);
      byRoom.delete(roomId);
      if (before) byMuc.delete(before.muc);
      remember(link);
    },
    async setArchiveId(muc, archiveId) {
      const link = byMuc.get(muc);
      if (link) remember({ ...link, archiveId });
      await store.setArchiveId(muc, archiveId);
    },
  };
}
