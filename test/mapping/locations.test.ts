import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { locationContent, locationSpoken } from "../../src/mapping/locations.ts";
import { parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const geoloc = (inside: string): string =>
  `<geoloc xmlns="http://jabber.org/protocol/geoloc">${inside}</geoloc>`;
const spoken = (content: object) => {
  const said = locationSpoken({ msgtype: "m.location", ...content });
  return said && [said.body, ...said.payloads.map(String)];
};
const content = (inside: string) => locationContent(parseStanza(`<message>${inside}</message>`));

test("a location is a geo URI and nothing else, so that clients show it on a map", () => {
  assert.deepEqual(spoken({ body: "Location geo:45.4,11.0;u=35 at noon", geo_uri: "geo:45.4,11.0;u=35" }), [
    "geo:45.4,11.0;u=35",
    geoloc("<accuracy>35</accuracy><lat>45.4</lat><lon>11.0</lon>"),
  ]);
});

test("what somebody has written to a location stands above it", () => {
  assert.deepEqual(spoken({ body: "The orchard wall", geo_uri: "geo:45.4,-11" }), [
    "The orchard wall\ngeo:45.4,-11",
    geoloc("<description>The orchard wall</description><lat>45.4</lat><lon>-11</lon>"),
  ]);
});

test("what is no place on earth is no location", () => {
  for (const uri of ["geo:91,0", "geo:0,181", "geo:1", "geo:1,2 and more", "https://1,2", "", "geo:a,b", 7]) {
    assert.equal(spoken({ body: "x", geo_uri: uri }), undefined);
    assert.equal(content(`<body>${uri}</body>`), undefined);
  }
});

test("a body that is a geo URI, or a payload without a body, is a location", () => {
  assert.deepEqual(content("<body>geo:45.4,11.0;crs=wgs84;u=35</body>"), {
    msgtype: "m.location",
    body: "geo:45.4,11.0;u=35",
    geo_uri: "geo:45.4,11.0;u=35",
  });
  assert.deepEqual(content(geoloc("<lat>45.4</lat><lon>11</lon><description>The wall</description>")), {
    msgtype: "m.location",
    body: "The wall",
    geo_uri: "geo:45.4,11",
  });
});

test("words stay a message, whatever place their client adds to them", () => {
  assert.equal(content(`<body>Here I am</body>${geoloc("<lat>1</lat><lon>2</lon>")}`), undefined);
  assert.equal(content("<body>Meet me at\ngeo:45.4,11.0</body>"), undefined);
  assert.equal(content(geoloc("<lat>1</lat>")), undefined);
});

test("a location comes back as it was", () => {
  const degrees = (most: number) =>
    fc.double({ min: -most, max: most, noNaN: true }).map((d) => d.toFixed(6));
  const words = fc.option(fc.constantFrom("The wall", "A & B <c>"), { nil: undefined });
  fc.assert(
    fc.property(degrees(90), degrees(180), words, (latitude, longitude, description) => {
      const geo_uri = `geo:${latitude},${longitude}`;
      const given = { msgtype: "m.location", body: description ?? geo_uri, geo_uri };
      const said = locationSpoken(given);
      assert.ok(said);
      const stanza = xml("message", {}, xml("body", {}, said.body), ...said.payloads);
      assert.deepEqual(locationContent(parseStanza(serialize(stanza))), given);
    }),
  );
});
