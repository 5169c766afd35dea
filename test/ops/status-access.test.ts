import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import { createAccess } from "../../src/ops/status/access.ts";
import { html } from "../../src/ops/status/html.ts";

const token = "0123456789abcdef";
const week = 7 * 24 * 60 * 60 * 1000;
const showing = (headers: IncomingMessage["headers"]): IncomingMessage => ({ headers }) as IncomingMessage;
const cookieOf = (set: string): string => set.split(";")[0] ?? "";

test("a session lasts for a week, also beside other cookies, and ends with a new token", () => {
  const clock = { ms: 1000 };
  const access = createAccess({ token, now: () => clock.ms });
  const cookie = cookieOf(access.cookie());
  const session = () => access.sessionOf(showing({ cookie: `theme=dark; ${cookie} ; other=1` }));
  assert.notEqual(session()?.formKey, undefined);
  const renewed = createAccess({ token: "fedcba9876543210", now: () => clock.ms });
  assert.equal(renewed.sessionOf(showing({ cookie })), undefined);
  clock.ms += week - 1;
  assert.notEqual(session(), undefined);
  clock.ms += 1;
  assert.equal(session(), undefined);
});

test("no cookie but a signed one is a session, and no time can be put into one", () => {
  const access = createAccess({ token, now: () => 0 });
  const [, signature = ""] = cookieOf(access.cookie()).split(".");
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(access.sessionOf(showing({ cookie: `causeway_status=${text}` })), undefined);
      const forged = `causeway_status=${text}.${signature}`;
      assert.equal(access.sessionOf(showing({ cookie: forged })), undefined);
    }),
  );
});

test("each session has a form key of its own, and a bearer needs none", () => {
  const clock = { ms: 0 };
  const access = createAccess({ token, now: () => clock.ms });
  const sessions = [0, 1].map((ms) => {
    clock.ms = ms;
    return access.sessionOf(showing({ cookie: cookieOf(access.cookie()) }));
  });
  const [first, second] = sessions;
  assert.ok(first?.formKey && second?.formKey);
  assert.deepEqual(
    [first.formKey, second.formKey, "", null].map((key) => access.mayPost(first, key)),
    [true, false, false, false],
  );
  const program = access.sessionOf(showing({ authorization: `Bearer ${token}` }));
  assert.deepEqual(program, { formKey: undefined });
  assert.ok(program && access.mayPost(program, null));
  assert.equal(access.sessionOf(showing({ authorization: "Bearer other" })), undefined);
});

test("whatever is put into HTML is text there, and HTML stays what it is", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { text: made } = html`<p title="${text}">${text}</p>`;
      const [, attribute = "", inner = ""] = /^<p title="([^"]*)">([^<]*)<\/p>$/s.exec(made) ?? [];
      const back = (escaped: string): string =>
        escaped
          .replaceAll("&lt;", "<")
          .replaceAll("&gt;", ">")
          .replaceAll("&quot;", '"')
          .replaceAll("&#39;", "'")
          .replaceAll("&amp;", "&");
      assert.deepEqual([back(attribute), back(inner)], [text, text]);
    }),
  );
  const parts = ["<", "b"].map((part) => html`<i>${part}</i>`);
  assert.equal(html`${parts}${undefined}${false}${0}`.text, "<i>&lt;</i><i>b</i>0");
});
