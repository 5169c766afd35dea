/** Who talks to whom: conversations by number, as the clients, the stub and a filled database know them. */

/** XMPP users with a client; the first conversations are theirs, in turn. */
export const clients = 20;
/** So many conversations they have among them; each later one has an XMPP user of its own. */
export const conversationsOfClients = 10_000;

export const romeoOf = (conversation: number): string =>
  `romeo${conversation < conversationsOfClients ? conversation % clients : conversation}`;
export const julietOf = (conversation: number): string => `juliet${conversation}`;
export const roomOf = (conversation: number, domain: string): string => `!room${conversation}:${domain}`;

/** The conversation of a Matrix user or of a room, by its number. */
export const conversationOf = (name: string): number => Number(/\d+/.exec(name)?.[0]);
