/** What processes say to each other goes through the database, which is not to hold anything of it in the clear. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Answer, Cluster } from "../cluster/cluster.ts";

/** AES-256-GCM, of which these are the lengths of the nonce and the tag. */
const lengths = { nonce: 12, tag: 16 };

export interface Seal {
  close(value: unknown): string;
  /** @throws Error where another secret has closed it. */
  open(text: unknown): unknown;
}

/** @param secret that all processes have, and nobody else. */
export function createSeal(secret: string): Seal {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "causeway: mail between processes", 32));
  return {
    close(value) {
      const nonce = randomBytes(lengths.nonce);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      // JSON has no `undefined` by itself.
      const text = JSON.stringify([value]);
      return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString(
        "base64",
      );
    },
    open(text) {
      const bytes = Buffer.from(String(text), "base64");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, lengths.nonce));
      decipher.setAuthTag(bytes.subarray(-lengths.tag));
      const sealed = bytes.subarray(lengths.nonce, -lengths.tag);
      const [value] = JSON.parse(Buffer.concat([decipher.update(sealed), decipher.final()]).toString());
      return value ?? undefined;
    },
  };
}

/** The same cluster, of which nobody can read what is said. */
export function sealCluster(cluster: Cluster, { close, open }: Seal): Cluster {
  const sealed =
    (answer: Answer): Answer =>
    async (payload) =>
      close(await answer(open(payload)));
  return {
    ...cluster,
    tell: (to, kind, payload) => cluster.tell(to, kind, close(payload)),
    ask: async (kind, payload) => open(await cluster.ask(kind, close(payload))),
    start: (answers, lead, lost) =>
      cluster.start(
        Object.fromEntries(Object.entries(answers).map(([kind, answer]) => [kind, sealed(answer)])),
        lead,
        lost,
      ),
  };
}
