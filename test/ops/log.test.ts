import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { createLog, type Fields, type Log, type LogOptions } from "../../src/ops/log.ts";
import { logfmtLine } from "../../src/ops/logfmt.ts";

const time = "2026-11-21T14:19:35.123Z";

function written(options: Partial<LogOptions>, use: (log: Log) => void): string {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  use(createLog({ level: "info", format: "text", now: () => Date.parse(time), stream, ...options }));
  return text;
}

test("a line is time, level, message and fields", () => {
  assert.equal(
    written({}, (log) =>
      log.child({ lane: "!room:hs.test" }).info("event accepted", { cause: "$abc", gone: undefined }),
    ),
    `${time} info  event accepted lane=!room:hs.test cause=$abc\n`,
  );
});

test("what is below the level is left out", () => {
  assert.equal(
    written({ level: "warn" }, (log) => {
      for (const level of ["debug", "info", "warn", "error"] as const) log[level](level);
    }),
    `${time} warn  warn\n${time} error error\n`,
  );
});

test("neither a message nor a value can forge a line or a field", () => {
  assert.equal(
    written({}, (log) =>
      log.info("a\nb\u202e", { nick: `x level=error\n${time}`, quote: '"', "k\n=": 1, empty: "" }),
    ),
    `${time} info  a\\u000ab\\u202e nick="x level=error\\n${time}" quote="\\"" k__=1 empty=""\n`,
  );
});

test("values in logfmt read back as they were", () => {
  const character = fc.oneof(
    fc.constantFrom(...'\n\r\t "\\=\u2028\u202e\u0085', "\ud800"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  const text = fc.string({ unit: character });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^\w{1,9}$/), text)), (fields) => {
      const line = logfmtLine(fields);
      assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}]/u);
      const read = [...line.matchAll(/ (\w+)=("(?:[^"\\]|\\.)*"|[^ "=]+)/g)];
      assert.equal(read.map(([whole]) => whole).join(""), line);
      assert.deepEqual(
        read.map(([, key, value = ""]) => [key, value.startsWith('"') ? JSON.parse(value) : value]),
        fields,
      );
    }),
  );
});

test("JSON has one object a line, and no field takes the place of time, level or message", () => {
  const fields: Fields = { message: "m", level: "l", count: 2, deep: { list: [1, null] }, big: 5n };
  const line = written({ format: "json" }, (log) => log.warn("a\nb", fields));
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), {
    time,
    level: "warn",
    message: "a\nb",
    message_: "m",
    level_: "l",
    count: 2,
    deep: { list: [1, null] },
    big: "5",
  });
});

test("secrets are taken out of messages, fields, errors and the depths of objects", () => {
  const secrets = ["s3cret", "s3cret-and-more", ""];
  const use = (log: Log) =>
    log.error("token s3cret-and-more", {
      error: new Error("GET /?t=s3cret", { cause: new Error("s3cret") }),
      deep: [{ "x-s3cret": "s3cret s3cret" }],
    });
  const text = written({ secrets }, use);
  assert.equal(
    text,
    `${time} error token [secret] error="GET /?t=[secret]: [secret]" deep="[{\\"x-[secret]\\":\\"[secret] [secret]\\"}]"\n`,
  );
  for (const format of ["text", "json"] as const) {
    assert.ok(!written({ secrets, format, level: "debug" }, use).includes("s3cret"));
  }
});

test("an error is its message with its causes, and its stack when debugging", () => {
  const error = new Error("could not join", { cause: new Error("403") });
  assert.equal(
    written({}, (log) => log.warn("x", { error })),
    `${time} warn  x error="could not join: 403"\n`,
  );
  assert.match(
    written({ level: "debug" }, (log) => log.warn("x", { error })),
    /Error: could not join\\n +at .*log\.test/,
  );
});

test("a value that contains itself is cut off", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  assert.equal(
    written({}, (log) => log.info("x", { loop })),
    `${time} info  x loop="{\\"self\\":\\"[…]\\"}"\n`,
  );
});
