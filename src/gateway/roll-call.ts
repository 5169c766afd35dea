/** Finds the guests whose sessions have ended without a word, as all of a server do when it is restarted. */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { xml } from "../xmpp/stanza.ts";
import type { GuestRooms } from "./hosted-rooms.ts";

export interface RollCallDeps {
  rooms: Pick<GuestRooms, "all" | "guestAt">;
  requests: Pick<IqRequests, "request">;
  xmpp: Pick<XmppClient, "send">;
  /** A guest is gone. */
  onUnreachable(guest: Guest): void;
  log: Log;
}

export interface RollCall {
  /** Asks all guests whether they are there. */
  begin(): void;
  stop(): Promise<void>;
}

const timeoutSeconds = 20;
const retryMs = 60_000;

export function createRollCall(deps: RollCallDeps): RollCall {
  const { rooms, requests, onUnreachable, log } = deps;
  const stopping = new AbortController();
  const calls = new Set<Promise<void>>();

  const isRefused = (error: unknown): error is StanzaRefusedError => error instanceof StanzaRefusedError;

  /**
   * COMPAT(clients that know no pings): they answer as a server does for those who are not there. A message of type
   * groupchat, which says nothing, comes back from those alone: at once, or later through the callback (§9.1.2 of XEP-0045).
   */
  const isThere = async ({ address, jid }: Guest): Promise<boolean> => {
    const silence = xml(
      "message",
      { type: "groupchat", from: address, to: jid },
      xml("no-store", { xmlns: NS.hints }),
    );
    try {
      await deps.xmpp.send(silence);
      return true;
    } catch (error) {
      if (isRefused(error)) return false;
      throw error;
    }
  };

  /** "unknown" where the bridge could not ask. */
  const ask = async (guest: Guest): Promise<"here" | "gone" | "unknown"> => {
    const ping = xml("ping", { xmlns: NS.ping });
    try {
      await requests.request({ from: guest.address, to: guest.jid, payload: ping, timeoutSeconds });
      return "here";
    } catch (error) {
      if (!isRefused(error)) return "unknown";
    }
    const there = await isThere(guest).catch(() => undefined);
    return there === undefined ? "unknown" : there ? "here" : "gone";
  };

  /** Those who could not be asked are asked again. */
  const call = async (guests: readonly Guest[]): Promise<void> => {
    const unknown: Guest[] = [];
    const perClient = new Map(guests.map((guest) => [guest.jid, guest]));
    const answers = [...perClient.values()].map(async (asked) => {
      const answer = await ask(asked);
      const theirs = guests.filter(({ jid }) => jid === asked.jid);
      if (answer === "gone") theirs.forEach(onUnreachable);
      if (answer === "unknown") unknown.push(...theirs);
    });
    await Promise.all(answers);
    if (unknown.length === 0) return;
    await delay(retryMs, undefined, { signal: stopping.signal });
    await call(unknown.filter((guest) => rooms.guestAt(guest.address, guest.jid) === guest));
  };

  return {
    begin() {
      if (stopping.signal.aborted || rooms.all().length === 0) return;
      const running = call(rooms.all())
        .catch((error) => {
          if (!stopping.signal.aborted) log.warn("could not ask guests whether they are there", { error });
        })
        .finally(() => calls.delete(running));
      calls.add(running);
    },
    async stop() {
      stopping.abort();
      await Promise.all(calls);
    },
  };
}
