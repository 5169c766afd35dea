/** Hands out loopback ports that a server can be told before it starts and keep over a restart. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

const given = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}

// Tests run side by side, each in a process of its own: two of them that ask at once are not given the same.
const first = 20_000 + (process.pid % 12) * 1000;

/** A free port below the range that outgoing connections take theirs from, so none can take it between two starts. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(first, first + 1000);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

/** Whether something accepts connections on the loopback port. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
