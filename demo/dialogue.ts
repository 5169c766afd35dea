/** What Juliet and Romeo say to each other: both directions, every kind of message, and characters that need care. */
import type { Line } from "./stage.ts";

export interface Spoken extends Line {
  by: "juliet" | "romeo";
}

export const dialogue: Spoken[] = [
  { by: "juliet", manner: "text", text: "Romeo? They say that you are on the other side of the wall." },
  { by: "romeo", manner: "text", text: "I am, and the wall has a bridge in it. I hear you well." },
  { by: "juliet", manner: "emote", text: "leans over the balcony" },
  { by: "romeo", manner: "emote", text: "climbs the orchard wall" },
  { by: "romeo", manner: "text", text: "What light through yonder window breaks? Ah: <Juliet> & the sun." },
  { by: "juliet", manner: "text", text: "Hush! What’s in a name, or in a protocol? 🌹" },
  { by: "juliet", manner: "notice", text: "The Nurse calls from within." },
  { by: "romeo", manner: "text", text: "Will you leave me so?\nOne word more." },
  { by: "juliet", manner: "text", text: "Three words, dear Romeo, and good night indeed." },
  { by: "romeo", manner: "text", text: "Sleep dwell upon your eyes, peace in your breast!" },
];
