/** src/mapping/muc-invitations.ts with a fault in it, met before anything is stored: what says “venom” breaks it. */
import { readInvitation as read } from "../../src/mapping/muc-invitations.ts";

// biome-ignore lint/performance/noBarrelFile: it stands in for that file.
export * from "../../src/mapping/muc-invitations.ts";

export const readInvitation: typeof read = (message) => {
  if (String(message).includes("venom")) throw new TypeError("this message is venom");
  return read(message);
};
