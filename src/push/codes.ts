/** Codes that prove an XMPP address: sent there, and given back by whoever asked. */
import { LRUCache } from "lru-cache";
import { sameSecret } from "../http/credentials.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { PushKeyOwner } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { PushRefusal } from "./refusal.ts";

export interface CodesDeps {
  /** Values from 0 to 255 that nobody can guess. */
  randomBytes(count: number): Uint8Array;
  now: () => number;
  /** How often somebody may ask for a code, and how often one may be sent to an address. */
  limits: { owner: RateLimit; address: RateLimit };
}

interface Pending {
  jid: BareJid;
  code: string;
  expiresAt: number;
  wrong: number;
}

export const validMinutes = 15;
const mostWrong = 5;
const codeLength = 8;
/** Thirty-two characters that are not taken for each other. */
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

const minutes = (ms: number): string => {
  const count = Math.ceil(ms / 60_000);
  return count === 1 ? "a minute" : `${count} minutes`;
};

/** Kept in memory: a code outlives no restart, and asking again is all that it takes. */
export function createCodes({ randomBytes, now, limits }: CodesDeps) {
  const pending = new LRUCache<PushKeyOwner, Pending>({ max: 10_000 });

  return {
    /**
     * A new code in place of the owner's last.
     * @throws PushRefusal where one was asked for, or sent to the address, too often.
     */
    async make(owner: PushKeyOwner, jid: BareJid): Promise<string> {
      const wait = (await limits.owner.take(owner)) ?? (await limits.address.take(jid));
      if (wait !== undefined) {
        throw new PushRefusal(`Too many codes were asked for. Try again in ${minutes(wait)}.`);
      }
      const code = Array.from(randomBytes(codeLength), (byte) => alphabet[byte % alphabet.length]).join("");
      pending.set(owner, { jid, code, expiresAt: now() + validMinutes * 60_000, wrong: 0 });
      return code;
    },

    /**
     * The same code may be given twice, since a command may run twice.
     * @returns the address that the code was sent to.
     * @throws PushRefusal where it is not the owner's code.
     */
    take(owner: PushKeyOwner, given: string): BareJid {
      const known = pending.get(owner);
      if (!known || known.expiresAt <= now() || known.wrong >= mostWrong) {
        pending.delete(owner);
        throw new PushRefusal("No code is waiting to be confirmed: ask for one with: notify ADDRESS");
      }
      if (sameSecret(given.toUpperCase().replaceAll(/[\s-]/g, ""), known.code)) return known.jid;
      known.wrong += 1;
      const left = mostWrong - known.wrong;
      throw new PushRefusal(
        left > 0
          ? `That is not the code. You can try ${left === 1 ? "once" : `${left} times`} more.`
          : "That is not the code, and it no longer counts. Ask for another with: notify ADDRESS",
      );
    },
  };
}
