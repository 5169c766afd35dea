/** What a person asked for cannot be done, in a sentence for them. */
export class PushRefusal extends Error {
  override readonly name = "PushRefusal";
}
