/** What each side sent, what arrived, and whether the promise was kept. */

export interface Arrival {
  body: string;
  id: string;
}

/** Of one conversation in one direction, each in its order. */
export interface Column {
  name: string;
  sent: readonly string[];
  /** Bodies whose sender was told that they did not arrive; they may all the same. */
  told: ReadonlySet<string>;
  arrived: readonly Arrival[];
  /**
   * How often a message may come twice: as often as something was cut off. It then comes right after itself and
   * with the same ID.
   */
  mayDouble: number;
}

export interface Figures {
  sent: number;
  told: number;
  arrived: number;
  lost: number;
  doubled: number;
  reordered: number;
}

export interface Verdict extends Figures {
  /** What broke the promise, in words. */
  broken: string[];
}

const few = (bodies: readonly string[]): string =>
  `${bodies.slice(0, 5).join(", ")}${bodies.length > 5 ? ` and ${bodies.length - 5} more` : ""}`;

export function judge({ name, sent, told, arrived, mayDouble }: Column): Verdict {
  const place = new Map(sent.map((body, index) => [body, index]));
  const seen = new Map<string, Arrival>();
  const [twice, wrongTwice, late]: [string[], string[], string[]] = [[], [], []];
  let newest = -1;
  for (const [index, arrival] of arrived.entries()) {
    const before = seen.get(arrival.body);
    if (before) {
      twice.push(arrival.body);
      if (before.id !== arrival.id || arrived[index - 1]?.body !== arrival.body)
        wrongTwice.push(arrival.body);
      continue;
    }
    seen.set(arrival.body, arrival);
    const at = place.get(arrival.body) ?? -1;
    if (at < newest) late.push(arrival.body);
    newest = Math.max(newest, at);
  }
  const missing = sent.filter((body) => !told.has(body) && !seen.has(body));
  const broken: string[] = [];
  if (missing.length > 0) broken.push(`${name} lost ${few(missing)}`);
  if (late.length > 0) broken.push(`${name} reordered ${few(late)}`);
  if (wrongTwice.length > 0) broken.push(`${name} doubled elsewhere or with another ID ${few(wrongTwice)}`);
  if (twice.length > mayDouble) broken.push(`${name} doubled ${few(twice)}, where ${mayDouble} may be`);
  return {
    sent: sent.length,
    told: told.size,
    arrived: seen.size,
    lost: missing.length,
    doubled: twice.length,
    reordered: late.length,
    broken,
  };
}

/** Whether all that may still come has come. */
export const isComplete = ({ sent, told, arrived }: Column): boolean => {
  const seen = new Set(arrived.map(({ body }) => body));
  return sent.every((body) => seen.has(body) || told.has(body));
};

export function sumOf(verdicts: readonly Verdict[]): Verdict {
  const total = (key: keyof Figures): number => verdicts.reduce((sum, one) => sum + one[key], 0);
  return {
    sent: total("sent"),
    told: total("told"),
    arrived: total("arrived"),
    lost: total("lost"),
    doubled: total("doubled"),
    reordered: total("reordered"),
    broken: verdicts.flatMap(({ broken }) => broken),
  };
}
