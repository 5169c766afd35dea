/** Environment variable for clock-steps.ts: `AFTER_MS:SHIFT_MS`, several of them between commas. */
export const clockVariable = "FAULT_CLOCK_STEPS";
