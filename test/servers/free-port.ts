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

const [first, blocks, blockSize] = [20_000, 12, 1000];

/**
 * Tests run side by side, each in a process of its own, and a port that one of them keeps over a restart must not be
 * taken by another meanwhile. So each has a block, and listens on its first port as long as it runs.
 */
async function claimBlock(): Promise<number> {
  for (let block = 0; block < blocks; block += 1) {
    const start = first + block * blockSize;
    const guard = createServer().listen(start, "127.0.0.1");
    try {
      await once(guard, "listening");
      guard.unref();
      return start;
    } catch {
      // Another process has it.
    }
  }
  throw new Error(`all ports from ${first} to ${first + blocks * blockSize} are taken by tests`);
}

let claimed: Promise<number> | undefined;

/** A free port below the range that outgoing connections take theirs from, so none can take it between two starts. */
export async function freePort(): Promise<number> {
  claimed ??= claimBlock();
  const start = await claimed;
  for (;;) {
    const port = randomInt(start + 1, start + blockSize);
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
