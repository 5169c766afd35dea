/** Pictures of XMPP users on their way into the media repository. */
import { Readable } from "node:stream";
import type { UserId } from "../matrix/ids.ts";
import { sniffImage } from "../media/bytes.ts";
import { createMediaRepository, type MediaRepositoryDeps } from "../media/repository.ts";

export interface Avatars {
  /** The type of a picture by what is in it; undefined where it is none that clients show. */
  typeOf(bytes: Buffer): string | undefined;
  /** @returns its mxc:// URI. */
  upload(picture: { type: string; bytes: Buffer }, ghost: UserId): Promise<string>;
  stop(): void;
}

const timeoutMs = 30_000;

export function createAvatars(deps: MediaRepositoryDeps): Avatars {
  const repository = createMediaRepository(deps);
  const stopping = new AbortController();
  return {
    typeOf: (bytes) => sniffImage(bytes)?.type,
    upload: ({ type, bytes }, ghost) =>
      repository.upload(
        { name: "avatar", type, size: bytes.length, body: Readable.from([bytes]) },
        ghost,
        AbortSignal.any([stopping.signal, AbortSignal.timeout(timeoutMs)]),
      ),
    stop: () => stopping.abort(),
  };
}
