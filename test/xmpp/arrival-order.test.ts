import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import fc from "fast-check";
import { type ArrivalOrderDeps, createArrivalOrder } from "../../src/xmpp/arrival-order.ts";

/** As much of a socket as the order looks at. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  constructor(remoteAddress = "127.0.0.1") {
    super();
    this.remoteAddress = remoteAddress;
  }
}

function setUp(more: Partial<ArrivalOrderDeps> = {}) {
  const clock = { ms: 0 };
  const order = createArrivalOrder({ now: () => clock.ms, ...more });
  const server = new EventEmitter();
  order.watch(server as Server);
  const released: string[] = [];
  const accept = (address?: string): FakeSocket => {
    const socket = new FakeSocket(address);
    server.emit("connection", socket);
    return socket;
  };
  const bring = (socket: FakeSocket, name: string): void =>
    void order.turn(socket as unknown as Socket, async (there) => {
      released.push(there ? name : `${name} gone`);
    });
  return { clock, order, accept, bring, released };
}

/** Something every connection does once: bring its request, close before that, or bring it and then close. */
const deeds = fc.array(fc.constantFrom("brings", "closes", "ignored"), { minLength: 1, maxLength: 12 });

test("in whatever order requests come, they are released in the order of their connections", async () => {
  const cases = deeds.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.keys()], { minLength: list.length })),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([list, permutation]) => {
      const { order, accept, bring, released } = setUp();
      const sockets = list.map(() => accept());
      for (const index of permutation) {
        const socket = sockets[index];
        if (!socket) continue;
        if (list[index] === "brings") bring(socket, String(index));
        else if (list[index] === "closes") socket.emit("close");
        else order.ignore(socket as unknown as Socket);
      }
      await tick();
      const expected = [...list.keys()].filter((index) => list[index] === "brings").map(String);
      assert.deepEqual(released, expected);
    }),
  );
});

test("a turn that fails rejects for its own request and holds up nobody", async () => {
  const { order, accept, bring, released } = setUp();
  const [first, second] = [accept(), accept()];
  bring(second, "second");
  const failing = order.turn(first as unknown as Socket, () => Promise.reject(new Error("disk full")));
  await assert.rejects(failing, { message: "disk full" });
  assert.deepEqual(released, ["second"]);
});

test("a request that came out of order waits until its predecessor has come", async () => {
  const { accept, bring, released } = setUp();
  const [first, second] = [accept(), accept()];
  bring(second, "second");
  await tick();
  assert.deepEqual(released, []);
  bring(first, "first");
  await tick();
  assert.deepEqual(released, ["first", "second"]);
});

test("a connection that closes while its request waits is told so, and holds up nobody", async () => {
  const { accept, bring, released } = setUp();
  const [first, second, third] = [accept(), accept(), accept()];
  bring(second, "second");
  bring(third, "third");
  second.emit("close");
  await tick();
  assert.deepEqual(released, ["second gone"]);
  first.emit("close");
  await tick();
  assert.deepEqual(released, ["second gone", "third"]);
});

test("once it is known where callbacks come from, silent connections from elsewhere are not waited for", async () => {
  const { accept, bring, released } = setUp();
  accept("192.0.2.1");
  const callback = accept("127.0.0.1");
  bring(callback, "callback");
  await tick();
  assert.deepEqual(released, ["callback"]);
});

test("a silent connection holds a callback up for five seconds, however long it was open before", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { clock, accept, bring, released } = setUp();
  const silent = accept();
  clock.ms = 60_000;
  bring(accept(), "second");
  const pass = async (ms: number): Promise<void> => {
    clock.ms += ms;
    t.mock.timers.tick(ms);
    await tick();
  };
  await pass(4999);
  assert.deepEqual(released, []);
  await pass(1);
  assert.deepEqual(released, ["second"]);
  bring(silent, "silent after all");
  bring(accept(), "third");
  assert.deepEqual(released, ["second", "silent after all", "third"]);
});

test("a hundred silent connections hold a callback up no longer than one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { clock, accept, bring, released } = setUp();
  for (let n = 0; n < 100; n += 1) accept();
  bring(accept(), "callback");
  clock.ms = 5000;
  t.mock.timers.tick(5000);
  await tick();
  assert.deepEqual(released, ["callback"]);
});

test("after a time in which the bridge was busy, what has come in meanwhile is not passed over", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { clock, accept, bring, released } = setUp();
  const [first, second, third] = [accept(), accept(), accept()];
  bring(third, "third");
  clock.ms = 5000;
  t.mock.timers.tick(5000);
  bring(second, "second");
  bring(first, "first");
  await tick();
  assert.deepEqual(released, ["first", "second", "third"]);
});

test("callbacks that one connection brings at once have their turn together, in their order", async () => {
  const { accept, bring, released } = setUp();
  const [first, second, third] = [accept(), accept(), accept()];
  bring(second, "a");
  bring(second, "b");
  bring(third, "c");
  bring(first, "first");
  await tick();
  assert.deepEqual(released, ["first", "a", "b", "c"]);
});

test("a connection that has brought a callback and then something else keeps its turn", async () => {
  const { order, accept, bring, released } = setUp();
  const [first, second] = [accept(), accept()];
  bring(second, "second");
  order.ignore(second as unknown as Socket);
  bring(first, "first");
  await tick();
  assert.deepEqual(released, ["first", "second"]);
});

test("a second request on a kept-alive connection takes its place behind what was accepted meanwhile", async () => {
  const { accept, bring, released } = setUp();
  const kept = accept();
  bring(kept, "first");
  const other = accept();
  bring(kept, "second");
  await tick();
  assert.deepEqual(released, ["first"]);
  bring(other, "other");
  await tick();
  assert.deepEqual(released, ["first", "other", "second"]);
});

async function realServer(t: TestContext) {
  const order = createArrivalOrder({ now: () => performance.now() });
  const arrived: string[] = [];
  const server = createServer(async (req, res) => {
    await order.turn(req.socket, async (there) => {
      if (there) arrived.push(req.url ?? "");
      res.writeHead(202, { "content-length": 0 }).end();
    });
  });
  order.watch(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const open = async (): Promise<Socket> => {
    const accepted = once(server, "connection");
    const socket = connect(port, "127.0.0.1");
    await Promise.all([accepted, once(socket, "connect")]);
    return socket;
  };
  return { open, arrived };
}

const request = (name: number): string =>
  `POST /${name} HTTP/1.1\r\nHost: bridge.example\r\nContent-Length: 0\r\n\r\n`;

test("on a real server, requests written in reverse are handled in the order of their connections", async (t) => {
  const { open, arrived } = await realServer(t);
  const sockets: Socket[] = [];
  for (let index = 0; index < 20; index += 1) sockets.push(await open());
  const gone = sockets[7];
  gone?.destroy();
  const answers: Promise<unknown>[] = [];
  for (const [index, socket] of [...sockets.entries()].reverse()) {
    if (socket === gone) continue;
    answers.push(once(socket, "data"));
    socket.write(request(index));
  }
  await Promise.all(answers);
  const expected = [...sockets.keys()].filter((index) => index !== 7).map((index) => `/${index}`);
  assert.deepEqual(arrived, expected);
  for (const socket of sockets) socket.destroy();
});

test("on a real server, a kept-alive connection may bring one request after the other", async (t) => {
  const { open, arrived } = await realServer(t);
  const socket = await open();
  for (const name of [1, 2, 3]) {
    const answer = once(socket, "data");
    socket.write(request(name));
    await answer;
  }
  assert.deepEqual(arrived, ["/1", "/2", "/3"]);
  socket.destroy();
});

test("each turn is told of, with what it waited for earlier ones", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: unknown[] = [];
  const { clock, accept, bring } = setUp({
    onTurn: (waitedMs, stillThere) => void told.push([waitedMs, stillThere]),
    onPassedOver: () => void told.push("passed over"),
  });
  const [first, second, third] = [accept(), accept(), accept()];
  bring(second, "second");
  bring(third, "third");
  clock.ms = 10;
  third.emit("close");
  bring(first, "first");
  assert.deepEqual(told, [
    [10, false],
    [undefined, true],
    [10, true],
  ]);
  accept();
  bring(accept(), "later");
  clock.ms += 5000;
  t.mock.timers.tick(5000);
  await tick();
  assert.deepEqual(told.slice(3), ["passed over", [5000, true]]);
});
