import assert from "node:assert/strict";
import { test } from "node:test";
import { noticeOf } from "../../src/commands/notice.ts";

test("plain text is a plain notice, several lines too", () => {
  assert.deepEqual(noticeOf("a <b>\nc"), { msgtype: "m.notice", body: "a <b>\nc" });
});

test("what is to be copied becomes a block of code, and no text becomes markup", () => {
  const text = 'Say <this> &\nso:\n\n```\ncurl -d \'{"a": "<&>"}\'\n  -v\n```\n\nOr:\n```\nthat\n```';
  assert.deepEqual(noticeOf(text), {
    msgtype: "m.notice",
    body: text,
    format: "org.matrix.custom.html",
    formatted_body:
      "Say &lt;this&gt; &amp;<br>so:" +
      "<pre><code>curl -d '{&quot;a&quot;: &quot;&lt;&amp;&gt;&quot;}'\n  -v\n</code></pre>" +
      "Or:<pre><code>that\n</code></pre>",
  });
});

test("a fence that is never closed is text like any other", () => {
  assert.deepEqual(noticeOf("```\nopen"), { msgtype: "m.notice", body: "```\nopen" });
});

test("lines of a list become a list, and those around it stay lines", () => {
  const text = "In the garden:\n• Romeo <3\n• Juliet\nThat is all.\nGood night.";
  assert.deepEqual(noticeOf(text), {
    msgtype: "m.notice",
    body: text,
    format: "org.matrix.custom.html",
    formatted_body: "In the garden:<ul><li>Romeo &lt;3</li><li>Juliet</li></ul>That is all.<br>Good night.",
  });
});
