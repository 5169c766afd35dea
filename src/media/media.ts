/** Files, put together: links from Matrix outwards, copies of what comes from XMPP. */
import type { Router } from "express";
import { createFetch } from "./fetch.ts";
import { createGuard } from "./guard.ts";
import { createMediaImport, type MediaImport, type MediaImportDeps } from "./import.ts";
import { createMediaLinks, type MediaLinks, type MediaLinksDeps, mediaKeyOf } from "./links.ts";
import { createMediaRepository, type MediaRepositoryDeps } from "./repository.ts";
import { mediaRoutes } from "./serve.ts";

export interface MediaDeps {
  homeserver: MediaRepositoryDeps;
  publicUrl: MediaLinksDeps["publicUrl"];
  /** What nobody outside knows, and no server that the bridge talks to knows all of. */
  secrets: readonly string[];
  linksExpireAfterDays: number;
  maxBytes: number;
  allowedNetworks: readonly string[];
  now: MediaLinksDeps["now"];
  log: MediaImportDeps["log"];
}

/** What the bridge needs of it. */
export interface Media extends Pick<MediaLinks, "linkOf">, MediaImport {
  /** Of one file. */
  maxBytes: number;
}

const day = 24 * 60 * 60 * 1000;

export function createMedia(deps: MediaDeps): { media: Media; routes: Router } {
  const { homeserver, publicUrl, secrets, linksExpireAfterDays, maxBytes, allowedNetworks, now, log } = deps;
  const repository = createMediaRepository(homeserver);
  const lastMs = linksExpireAfterDays * day;
  const links = createMediaLinks({ publicUrl, key: mediaKeyOf(secrets), lastMs, now });
  const fetchFile = createFetch({ guard: createGuard({ allowedNetworks }), maxBytes });
  return {
    media: { linkOf: links.linkOf, maxBytes, ...createMediaImport({ fetchFile, repository, log }) },
    routes: mediaRoutes({ links, repository, maxBytes, now, log }),
  };
}
