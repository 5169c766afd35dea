// Set-up steps can take minutes, so each says what is going on and for how long, on stderr.

const tty = process.stderr.isTTY === true && process.env.CI === undefined;

export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs `work` and shows `label` with the elapsed seconds while it lasts. A step shorter than `quietMs`
 * milliseconds leaves no trace.
 */
export async function step(label, work, quietMs = 1_000) {
  const started = performance.now();
  const elapsed = () => `${Math.round((performance.now() - started) / 1_000)} s`;
  let shown = false;
  const show = () => {
    if (tty) process.stderr.write(`\r\x1b[K${label} … ${elapsed()}`);
    else if (!shown) say(`${label} …`);
    shown = true;
  };
  const first = setTimeout(show, quietMs);
  const ticks = tty ? setInterval(() => shown && show(), 1_000) : undefined;
  const close = (outcome) => {
    clearTimeout(first);
    clearInterval(ticks);
    if (shown) say(`${tty ? "\r\x1b[K" : ""}${label}: ${outcome} after ${elapsed()}`);
  };
  try {
    const result = await work();
    close("done");
    return result;
  } catch (error) {
    close("failed");
    throw error;
  }
}
