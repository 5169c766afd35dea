/** The connection on which PostgreSQL tells news: made again whenever it is lost. */
import pg from "pg";

export interface Listener {
  listen(
    channel: string,
    onPayload: (payload: string) => void,
    onAgain: () => void,
    onLost?: () => void,
  ): Promise<void>;
  close(): Promise<void>;
}

interface Channel {
  name: string;
  onPayload: (payload: string) => void;
  onAgain: () => void;
  onLost: (() => void) | undefined;
}

const firstPause = 250;
const longestPause = 2_000;
/** A connection that has silently gone is noticed by that. */
const checkEvery = 5_000;

export function createListener(config: pg.ClientConfig): Listener {
  const channels: Channel[] = [];
  let client: pg.Client | undefined;
  let connecting: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let pause = firstPause;
  let closed = false;

  const subscribe = (on: pg.Client, { name }: Channel): Promise<unknown> =>
    on.query(`listen ${pg.escapeIdentifier(name)}`);

  const again = (): void => {
    if (closed || retry) return;
    retry = setTimeout(() => {
      retry = undefined;
      connect().catch(again);
    }, pause);
    pause = Math.min(pause * 2, longestPause);
  };

  const leave = (one: pg.Client): void => {
    if (client !== one) return;
    client = undefined;
    one.end().catch(() => undefined);
    if (!closed) for (const { onLost } of channels) onLost?.();
    again();
  };

  const open = async (): Promise<void> => {
    const one = new pg.Client(config);
    one.on("error", () => leave(one));
    one.on("end", () => leave(one));
    one.on("notification", ({ channel, payload = "" }) => {
      for (const { name, onPayload } of channels) if (name === channel) onPayload(payload);
    });
    try {
      await one.connect();
      for (const channel of channels) await subscribe(one, channel);
      if (closed) throw new Error("closed");
    } catch (error) {
      one.end().catch(() => undefined);
      throw error;
    }
    client = one;
    pause = firstPause;
    for (const { onAgain } of channels) onAgain();
  };

  const connect = async (): Promise<void> => {
    if (client) return;
    connecting ??= open().finally(() => {
      connecting = undefined;
    });
    await connecting;
  };

  const checks = setInterval(() => {
    const one = client;
    one?.query("select 1").catch(() => leave(one));
  }, checkEvery);
  checks.unref();

  return {
    async listen(name, onPayload, onAgain, onLost) {
      const channel = { name, onPayload, onAgain, onLost };
      await connecting?.catch(() => undefined);
      channels.push(channel);
      if (!client) {
        return connect().catch((error) => {
          again();
          throw error;
        });
      }
      await subscribe(client, channel);
      onAgain();
    },
    async close() {
      closed = true;
      clearInterval(checks);
      clearTimeout(retry);
      await connecting?.catch(() => undefined);
      const one = client;
      client = undefined;
      await one?.end();
    },
  };
}
