/** Bodies that mod_rest has answered, recorded from Prosody 13.0.7 with the module of 2026-07-23 and of 2019-12-30. */

/** Prosody's page for an error; `why` is missing where a module gives none, and the sentence before it is drawn by lot. */
export const page = (title: string, sentence: string, why?: string): string => `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>${title}</title>
<style>
:root{color-scheme:light dark}
body{margin-top:14%;text-align:center;font-family:sans-serif}
h1{font-size:xx-large}
p{font-size:x-large}
p.warning>span{font-size:large;background-color:yellow}
p.extra{font-size:large;font-family:courier}
@media(prefers-color-scheme:dark){
p.warning>span{background-color:inherit;color:yellow}
}
</style>
</head>
<body>
<h1> ${title}</h1>
<p>${sentence}</p>

${why === undefined ? "" : `<p class="extra">${why}</p>`}
</body>
</html>
`;

/** A stream error, as which mod_rest writes its own where XML is accepted. */
export const streamError = (condition?: string, text?: string): string => {
  if (condition === undefined) return "<error xmlns='http://etherx.jabber.org/streams'/>";
  const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'";
  return `<error xmlns='http://etherx.jabber.org/streams'><${condition} ${ns}/>${text === undefined ? "" : `<text ${ns}>${text}</text>`}</error>`;
};

/** What the module of 2019 answers to every message and presence that it has handed over. */
export const handedOver2019 = page(
  "500 Internal Server Error",
  "It broke. Check your error log for more info.",
);
