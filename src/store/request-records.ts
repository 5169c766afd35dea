/** What is remembered of people's wishes about rooms: links that are not agreed to yet, and who is kept out. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { RoomLink } from "./room-records.ts";

/** Somebody wants a Matrix room and an XMPP room (a MUC) to be linked. */
export interface LinkRequest {
  /** What those who agree or refuse call it by. */
  code: string;
  roomId: RoomId;
  muc: BareJid;
  password: string | undefined;
  /** As configured where nobody has a wish. */
  mode: RoomLink["mode"] | undefined;
  askedBy: UserId | Jid;
  /** Unix time in milliseconds. */
  askedAt: number;
  /** Who has agreed on each side, among those who may. */
  matrixBy: UserId | undefined;
  xmppBy: Jid | undefined;
  isRefused: boolean;
}

export interface LinkRequests {
  all(): Promise<LinkRequest[]>;
  ofCode(code: string): Promise<LinkRequest | undefined>;
  /** Durable; takes the place of an earlier request for the same two rooms. */
  save(request: LinkRequest): Promise<void>;
  remove(code: string): Promise<void>;
}

export interface Block {
  /** As an entry of `permissions`: an MXID, a JID or a domain. */
  pattern: string;
  by: UserId | Jid;
  /** Unix time in milliseconds. */
  at: number;
}

export interface Blocks {
  all(): Promise<Block[]>;
  /** Durable. */
  save(block: Block): Promise<void>;
  /** Durable. */
  remove(pattern: string): Promise<void>;
}
