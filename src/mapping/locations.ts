/**
 * Locations: m.location (Client-Server API v1.15 §11.2.1.6) <-> a body that is a geo URI (RFC 5870), as XMPP clients
 * show it on a map, with XEP-0080 1.9 for those that read that.
 */
import { type Content, readString } from "../matrix/event.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xml } from "../xmpp/stanza.ts";

interface Place {
  latitude: string;
  longitude: string;
  /** In metres. */
  accuracy: string | undefined;
}

const number = String.raw`-?\d{1,3}(?:\.\d{1,20})?`;
const geoUri = new RegExp(`^geo:(${number}),(${number})(?:,${number})?((?:;[\\w-]+(?:=[^;\\s]*)?)*)$`, "i");

function parseGeo(uri: string): Place | undefined {
  const [, latitude, longitude, parameters = ""] = geoUri.exec(uri.trim()) ?? [];
  if (latitude === undefined || longitude === undefined) return undefined;
  if (Math.abs(Number(latitude)) > 90 || Math.abs(Number(longitude)) > 180) return undefined;
  return { latitude, longitude, accuracy: /;u=(\d{1,9}(?:\.\d{1,9})?)(?:;|$)/i.exec(parameters)?.[1] };
}

const geoOf = ({ latitude, longitude, accuracy }: Place): string =>
  `geo:${latitude},${longitude}${accuracy === undefined ? "" : `;u=${accuracy}`}`;

/** What a location says on XMPP; undefined where the content has no valid one. */
export function locationSpoken(content: Content): { body: string; payloads: Element[] } | undefined {
  const uri = readString(content, "geo_uri");
  const place = uri === undefined ? undefined : parseGeo(uri);
  if (uri === undefined || !place) return undefined;
  const words = readString(content, "body")?.trim() ?? "";
  // Clients repeat the coordinates there; what people have written themselves is worth a line, and costs the map.
  const description = words === "" || words.includes("geo:") ? undefined : words;
  const field = (name: string, value: string | undefined): Element[] =>
    value === undefined ? [] : [xml(name, {}, value)];
  const geoloc = xml(
    "geoloc",
    { xmlns: NS.geoloc },
    ...field("accuracy", place.accuracy),
    ...field("description", description),
    xml("lat", {}, place.latitude),
    xml("lon", {}, place.longitude),
  );
  const geo = geoOf(place);
  return { body: description === undefined ? geo : `${description}\n${geo}`, payloads: [geoloc] };
}

/** The place that a payload names, whatever the body says. */
function placeIn(geoloc: Element | undefined): Place | undefined {
  if (!geoloc) return undefined;
  const [lat, lon, accuracy] = ["lat", "lon", "accuracy"].map((name) => geoloc.getChildText(name)?.trim());
  return parseGeo(`geo:${lat},${lon}${accuracy ? `;u=${accuracy}` : ""}`);
}

/** The content for a stanza that shares a location and says nothing else; undefined for all others. */
export function locationContent(stanza: Element): Content | undefined {
  const body = readText(stanza, "body")?.trim() ?? "";
  const lines = body.split("\n");
  const written = parseGeo(lines.at(-1) ?? "");
  const geoloc = readChild(stanza, NS.geoloc, "geoloc");
  const place = written ?? placeIn(geoloc);
  // A body of words is a message, to which a client has added where it was written.
  if (!place || (!written && body !== "")) return undefined;
  const said = lines.slice(0, -1).join("\n").trim();
  if (said !== "" && !geoloc) return undefined;
  const geo = geoOf(place);
  return {
    msgtype: "m.location",
    body: said || geoloc?.getChildText("description")?.trim() || geo,
    geo_uri: geo,
  };
}
