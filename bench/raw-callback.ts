/** The cheapest callback there can be: what Prosody alone is able to hand over. */
import { startLeanServer } from "./lean-http.ts";

/** Answers 202 and does nothing; OPTIONS, with which mod_rest begins, wants a 200. */
export function startRawCallback(port: number, onText: (text: string) => void): Promise<{ stop(): void }> {
  return startLeanServer(port, ({ method, body }, answer) => {
    answer(method === "POST" ? 202 : 200);
    const text = /<body>([^<]*)<\/body>/.exec(body)?.[1];
    if (text !== undefined) onText(text);
  });
}
