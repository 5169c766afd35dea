/** Arbitrary texts, full of what XML means something by or cannot carry. */
import fc from "fast-check";

const nasty = fc.constantFrom(
  ..."<>&\"'",
  "]]>",
  "<![CDATA[",
  "<!--",
  "-->",
  "<?xml?>",
  "&lt;",
  "&amp;amp;",
  "&#0;",
  "</body>",
  "\0",
  "\b",
  "\t",
  "\n",
  "\r",
  "\r\n",
  "\x1f",
  "\x7f",
  "\x85",
  "\u2028",
  "\ud800",
  "\udfff",
  "\ufffd",
  "\ufffe",
  "\uffff",
  "\ufeff",
  "😀",
  " ",
  "/me ",
  "é",
);

/** Lone surrogates, control characters and markup included. */
export const wildTexts = fc
  .array(fc.oneof(nasty, fc.string({ unit: "binary", maxLength: 5 })), { maxLength: 20 })
  .map((parts) => parts.join(""));
