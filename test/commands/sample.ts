/** Commands that do nothing but say what they were given. */
import type { Caller, Command } from "../../src/commands/command.ts";
import type { UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";

export const juliet: Caller = { network: "matrix", userId: "@juliet:hs.example" as UserId, level: "user" };
export const romeo: Caller = { network: "xmpp", jid: "romeo@xmpp.example" as BareJid, level: "user" };

const command = (name: string, more: Partial<Command> = {}): Command => ({
  name,
  summary: `does ${name}`,
  fields: [],
  run: async (_caller, args) => ({ text: `${name} ${JSON.stringify(args)}` }),
  ...more,
});

const address = { name: "address", label: "Address" };
const token = { name: "token", label: "Access token", secret: true };

export const ring = command("ring", { fields: [{ ...address, required: true }] });
export const ringOff = command("ring off", { fields: [address, token] });
export const ringToken = command("ring token", { fields: [{ ...token, required: true }] });
export const woo = command("woo", {
  fields: [
    { ...address, required: true },
    { name: "words", label: "Words" },
  ],
});
export const list = command("list");
export const lonely = command("lonely", { network: "matrix" });
export const banish = command("banish", { level: "admin" });
const stumble = command("stumble", {
  run: async () => {
    throw new Error("a stone");
  },
});
export const all = [ring, ringOff, ringToken, woo, list, lonely, banish, stumble];
