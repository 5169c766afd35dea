import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { fileNameOf, mediaTypeOf, nameInUrl, withExtension } from "../../src/mapping/file-names.ts";

suite("names of files", () => {
  const rows: [given: string, name: string | undefined][] = [
    ["summit.jpg", "summit.jpg"],
    ["../../etc/passwd", "passwd"],
    ["C:\\Users\\romeo\\letter.txt", "letter.txt"],
    ["..", undefined],
    ["/", undefined],
    ["", undefined],
    [".bashrc", "bashrc"],
    ["photo\u202egpj.exe", "photogpj.exe"],
    ["a\u0000b\r\nc\u2028d", "abcd"],
    ['what?"<now>|*:', "what___now____"],
    ["Füße \u{1F339}.pdf", "Füße \u{1F339}.pdf"],
    ["\ud800x", "\ufffdx"],
    [`${"x".repeat(200)}.jpeg`, `${"x".repeat(95)}.jpeg`],
  ];
  for (const [given, name] of rows) {
    test(`${JSON.stringify(given.slice(0, 30))} becomes ${JSON.stringify(name?.slice(0, 30))}`, () =>
      assert.equal(fileNameOf(given), name));
  }

  test("no name leads out of its folder or hides what it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const name = fileNameOf(text);
        if (name === undefined) return;
        assert.doesNotMatch(name, /[/\\<>:"|?*\p{Cc}\p{Cf}]|^\.|\.$/u);
        assert.ok(name !== "" && name.isWellFormed() && [...name].length <= 100);
        assert.equal(fileNameOf(name), name);
      }),
    );
  });

  test("an extension is added where the name has none and the type tells it", () => {
    assert.equal(withExtension("image", "image/png"), "image.png");
    assert.equal(withExtension("image.jpeg", "image/png"), "image.jpeg");
    assert.equal(withExtension("image", "image/x-unknown"), "image");
    assert.equal(withExtension("image", "constructor"), "image");
    assert.equal(withExtension("image", undefined), "image");
  });

  test("a link tells the name of what it leads to", () => {
    assert.equal(nameInUrl("https://up.example/a/b%C3%A4r.jpg?x=1#y"), "bär.jpg");
    assert.equal(nameInUrl("https://up.example/a%2Fb.jpg"), "b.jpg");
    assert.equal(nameInUrl("https://up.example/%ff.jpg"), "%ff.jpg");
    assert.equal(nameInUrl("https://up.example/"), undefined);
    assert.equal(nameInUrl("no link"), undefined);
  });

  test("a media type is taken without its parameters, and only if it is one", () => {
    assert.equal(mediaTypeOf("Text/HTML; charset=utf-8"), "text/html");
    assert.equal(mediaTypeOf("image/svg+xml"), "image/svg+xml");
    for (const wrong of [undefined, "", "text", "text/", "a/b/c", "image/png\r\nx: y", "image/ü"])
      assert.equal(mediaTypeOf(wrong), undefined);
  });
});
