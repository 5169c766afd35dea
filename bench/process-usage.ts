/** What a process has used so far, from Linux's /proc (proc_pid_status(5), proc_pid_stat(5)). */
import { readFileSync } from "node:fs";

export interface Usage {
  /** Megabytes of resident memory: now, and at most so far. */
  residentMb: number;
  peakMb: number;
  /** Milliseconds of processor time, of all its threads. */
  cpuMs: number;
}

/** The kernel counts processor time for user programs in hundredths of a second, whatever its own clock. */
const msPerTick = 10;

export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  // The command's name comes second and may hold spaces, so counting starts behind its parenthesis.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * msPerTick;
  return { residentMb: megabytes("VmRSS"), peakMb: megabytes("VmHWM"), cpuMs };
}
