/** The smallest files that show what they are. */

/** A PNG of 2 × 3 pixels, as far as anybody looks who does not show it. */
export const png = Buffer.concat([
  Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
  Buffer.from("0000000200000003080600000000000000", "hex"),
  Buffer.alloc(64, 7),
]);

export const opus = Buffer.concat([
  Buffer.from("OggS"),
  Buffer.alloc(24),
  Buffer.from("OpusHead"),
  Buffer.alloc(100, 1),
]);
