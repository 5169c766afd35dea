/** The media repository of the stand-in homeserver (Client-Server API v1.15 §11.7), with what Synapse 1.160 makes of it. */
import { randomUUID } from "node:crypto";
import { Refusal } from "./fake-rooms.ts";
import type { Answer, SeenRequest } from "./fake-server.ts";

export interface MediaFile {
  type: string;
  bytes: Buffer;
  /** Who has uploaded it, and under which name. */
  by?: string;
  name?: string;
}

export function createMedia(domain: string, mostBytes = 50 * 1024 * 1024) {
  const files = new Map<string, MediaFile>();

  const add = (file: MediaFile): string => {
    const mxc = `mxc://${domain}/${randomUUID().replaceAll("-", "")}`;
    files.set(mxc, file);
    return mxc;
  };
  const upload = ({ headers, query, bytes }: SeenRequest, by: string): Answer => {
    if (headers["content-length"] === undefined)
      throw new Refusal(400, "M_UNKNOWN", "Request must specify a Content-Length");
    const type = headers["content-type"] ?? "application/octet-stream";
    const mxc = add({ type, bytes, by, name: query.get("filename") ?? "" });
    return json({ content_uri: mxc });
  };
  const download = (path: string): Answer => {
    const file = files.get(`mxc://${path}`);
    if (!file) throw new Refusal(404, "M_NOT_FOUND", "Not found");
    const { type, bytes } = file;
    return {
      status: 200,
      headers: { "content-type": type, "content-length": String(bytes.length) },
      body: bytes,
    };
  };
  const downloadPath = /^\/_matrix\/client\/v1\/media\/download\/([^/]+\/[^/]+)$/;
  const uploadPath = "/_matrix/media/v3/upload";
  const configPath = "/_matrix/client/v1/media/config";
  const json = (body: unknown): Answer => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

  return {
    /** By mxc:// URI. */
    files,
    /** @returns its mxc:// URI. */
    add,
    isFor: ({ path }: SeenRequest): boolean =>
      path === uploadPath || path === configPath || downloadPath.test(path),
    answer(request: SeenRequest, as: string): Answer {
      if (request.path === configPath) return json({ "m.upload.size": mostBytes });
      if (request.path === uploadPath) return upload(request, as);
      return download(decodeURIComponent(downloadPath.exec(request.path)?.[1] ?? ""));
    },
  };
}
