import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { toMatrixHtml } from "../../../src/mapping/text/matrix-html.ts";
import { isStyled, parseStyling, toStyling } from "../../../src/mapping/text/styling.ts";
import { type Block, type Inline, isPlain, type Tree } from "../../../src/mapping/text/tree.ts";
import type { UserId } from "../../../src/matrix/ids.ts";
import { wildTexts } from "../../support/xml-text.ts";
import { wildTrees } from "./trees.ts";

const html = (body: string): string => toMatrixHtml(parseStyling(body));

suite("reading (XEP-0393 §6)", () => {
  const rows: [title: string, body: string, html: string][] = [
    ["plain *strong*", "plain *strong*", "plain <strong>strong</strong>"],
    ["an opening directive follows a blank", "a*b* (*c*)", "a*b* (*c*)"],
    ["or another opening directive", "*_a_*", "<strong><em>a</em></strong>"],
    ["but not one that opens nothing", "_*a*", "_*a*"],
    ["a closing directive may be in a word", "~dis~likes", "<del>dis</del>likes"],
    ["spans do not overlap", "*this cannot _overlap*_", "<strong>this cannot _overlap</strong>_"],
    ["spans in code are text", "`*a*`", "<code>*a*</code>"],
    ["a code point of two units is no blank", "🌹*a* *🌹*", "🌹*a* <strong>🌹</strong>"],
    ["a blank is any of Unicode", "\u2003*a*\u3000*b*", "\u2003<strong>a</strong>\u3000<strong>b</strong>"],
    ["a fence may say a language", "```c++\na\n```", '<pre><code class="language-c++">a\n</code></pre>'],
    ["what is no language is left out", "```a b\nc\n```", "<pre><code>c\n</code></pre>"],
    [
      "a fence ends with three graves and nothing else",
      "```\na\n````\n```",
      "<pre><code>a\n````\n</code></pre>",
    ],
    ["a fence without an end goes to the end", "```\na\n\n> b", "<pre><code>a\n\n&gt; b\n</code></pre>"],
    ["a quotation loses one blank", ">  a", "<blockquote>\u00a0a</blockquote>"],
    ["a quotation needs no blank", ">a\n>>b", "<blockquote>a<blockquote>b</blockquote></blockquote>"],
    ["a quotation in the middle of a line is none", "a > b", "a &gt; b"],
    [
      "line ends of other systems are line ends",
      "*a*\r\n\r\n```\r\nb\r\n```\r\n",
      "<strong>a</strong><pre><code>b\n</code></pre>",
    ],
    ["an empty quotation is nothing", ">\na *b*", "a <strong>b</strong>"],
    ["blank lines at the start are kept", "\n*a*", "<br><strong>a</strong>"],
  ];
  for (const [title, body, expected] of rows) test(title, () => assert.equal(html(body), expected));

  test("quotations are nested so deep and no deeper", () => {
    assert.equal(html(">".repeat(1000)).match(/<blockquote>/g)?.length, 21);
  });
});

suite("writing", () => {
  test("mentions are found in code points", () => {
    const tree: Tree = [
      {
        kind: "quote",
        blocks: [
          {
            kind: "paragraph",
            children: [
              { kind: "text", text: "🌹" },
              { kind: "break" },
              {
                kind: "strong",
                children: [{ kind: "mention", id: "@romeo:hs.example" as UserId, label: "x" }],
              },
            ],
          },
        ],
      },
    ];
    const named = (id: string): string | undefined => (id === "@romeo:hs.example" ? "Romeo 🌹" : undefined);
    assert.deepEqual(toStyling(tree, named), {
      body: "> 🌹\n> *Romeo 🌹*",
      unstyled: false,
      mentions: [{ begin: 7, end: 14, userId: "@romeo:hs.example" }],
    });
  });

  test("mentions of any text say the name where they say they do", () => {
    fc.assert(
      fc.property(wildTrees, (tree) => {
        const { body, mentions } = toStyling(tree, () => "Nurse 🌹");
        for (const { begin, end } of mentions) {
          assert.equal([...body].slice(begin, end).join(""), "Nurse 🌹");
        }
      }),
    );
  });

  test("plain text that is not styled stays plain, and what is styled is known to be", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          wildTexts,
          fc.array(fc.constantFrom(..."*_~`> \na🌹")).map((parts) => parts.join("")),
        ),
        (body) => {
          if (!isStyled(body)) assert.ok(isPlain(parseStyling(body)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

const words = fc.stringMatching(/^[a-z🌹]{1,5}(?: [a-z]{1,5}){0,2}$/u);
const text = words.map((word): Inline => ({ kind: "text", text: word }));
const blank: Inline = { kind: "text", text: " " };
const apart = (nodes: Inline[]): Inline[] =>
  nodes.flatMap((node, index) => (index === 0 ? [node] : [blank, node]));

/** What styling can say: each kind once on the way to a word, and blanks between them. */
const spansWithin = (kinds: ("strong" | "emphasis" | "strike")[]): fc.Arbitrary<Inline> =>
  fc.oneof(
    text,
    words.map((word): Inline => ({ kind: "code", text: word })),
    ...kinds.map((kind) =>
      fc
        .array(spansWithin(kinds.filter((other) => other !== kind)), { minLength: 1, maxLength: 3 })
        .map((children): Inline => ({ kind, children: apart(children) })),
    ),
  );
const lines = fc
  .array(fc.array(spansWithin(["strong", "emphasis", "strike"]), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((all) =>
    all.flatMap((line, index): Inline[] => [
      ...(index > 0 ? [{ kind: "break" } as const] : []),
      ...apart(line),
    ]),
  );
const paragraphs = lines.map((children): Block => ({ kind: "paragraph", children }));
const codes = fc
  .array(fc.constantFrom("", "  a", "> b", "*c*", "d"), { minLength: 1, maxLength: 4 })
  .map((all): Block => ({ kind: "code", text: all.join("\n") }));
const trees = (depth: number): fc.Arbitrary<Tree> =>
  fc.array(
    depth === 0
      ? fc.oneof(paragraphs, codes)
      : fc.oneof(
          paragraphs,
          codes,
          trees(depth - 1).map((blocks): Block => ({ kind: "quote", blocks })),
        ),
    { minLength: 1, maxLength: 4 },
  );

/** Neighbouring texts as one, which is all that reading changes. */
const joined = (tree: Tree): string => toMatrixHtml(tree);

suite("there and back", () => {
  test("what styling can say is the same afterwards", () => {
    fc.assert(
      fc.property(trees(2), (tree) => {
        const { body, unstyled } = toStyling(tree);
        assert.equal(unstyled, false);
        assert.equal(joined(parseStyling(body)), joined(tree));
      }),
      { numRuns: 500 },
    );
  });

  test("what was read is written so that it reads the same, or says that it is not styled", () => {
    const bodies = fc
      .array(fc.constantFrom(..."*_~`> \na🌹", "```\n", "\n> ", "\n\n"))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(bodies, (body) => {
        const tree = parseStyling(body);
        const again = toStyling(tree);
        if (!again.unstyled) assert.equal(joined(parseStyling(again.body)), joined(tree));
      }),
      { numRuns: 2000 },
    );
  });
});
