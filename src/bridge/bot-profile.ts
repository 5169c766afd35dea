/** The bot's name and picture, which is also the icon of the XMPP network; what an operator has set stays. */
import type { MatrixClient } from "../matrix/client.ts";
import { localpartOf, type UserId } from "../matrix/ids.ts";
import type { Avatars } from "./avatars.ts";

export interface BotProfileDeps {
  bot: UserId;
  matrix: Pick<MatrixClient, "profile" | "setDisplayName" | "setAvatar">;
  avatars: Pick<Avatars, "upload">;
}

export interface BotProfile {
  /** An mxc:// URI, or "" while there is none. */
  icon(): string;
  /** Takes in the picture that is set; nothing where that cannot be had. */
  look(): void;
  /** Sets what is missing. */
  complete(): Promise<void>;
}

const name = "XMPP bridge";
/** A bridge, in 96 by 96 pixels. */
const picture = {
  type: "image/png",
  bytes: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAGAAAABgAQMAAADYVuV7AAAABlBMVEUbXnL///+K3XQ4AAAAyklEQVR42u3SvQ2DMBAFYFtIpKEwIgIXkbKCJzhWYQQGOCWMwEZhBEbICClTkJCz7yA/VZRQ8opnfY/mCpRa82vAFy6Fw1yUu6+jYJxLKX3yfWsYJb16YETggV1AzKgENEaCBOiN0QVYhhXQmAgcYyeg0eI2oAYaHeYBPSMT0FgzdAuFUhdM/XGRgazRPZqOkXZRy4gNmPPGoKkECIKEUA4Ef6kl7K8EKyguAkegoPGX1hPyT/QT/HHjHLrzieb9y7dY+j/4G2te8gCBOX25OfOfoQAAAABJRU5ErkJggg==",
    "base64",
  ),
};

export function createBotProfile({ bot, matrix, avatars }: BotProfileDeps): BotProfile {
  let icon = "";
  return {
    icon: () => icon,
    look() {
      matrix.profile(bot).then(
        (profile) => {
          icon = profile?.avatarUrl ?? "";
        },
        () => undefined,
      );
    },
    async complete() {
      const { displayName, avatarUrl } = (await matrix.profile(bot)) ?? {};
      // Homeservers give new users their localpart as a name.
      if (!displayName || displayName === localpartOf(bot)) await matrix.setDisplayName(bot, name);
      icon = avatarUrl ?? "";
      if (icon !== "") return;
      icon = await avatars.upload(picture, bot);
      await matrix.setAvatar(bot, icon);
    },
  };
}
