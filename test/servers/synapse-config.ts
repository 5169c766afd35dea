/** The homeserver.yaml of the tests (JSON is YAML): fast, closed to the network, and never in the way of a burst. */
import { join } from "node:path";

const unlimited = { per_second: 100_000, burst_count: 100_000 };

const rateLimits = {
  rc_message: unlimited,
  rc_registration: unlimited,
  rc_login: { address: unlimited, account: unlimited, failed_attempts: unlimited },
  rc_admin_redaction: unlimited,
  rc_joins: { local: unlimited, remote: unlimited },
  rc_joins_per_room: unlimited,
  rc_3pid_validation: unlimited,
  rc_invites: { per_room: unlimited, per_user: unlimited, per_issuer: unlimited },
  rc_third_party_invite: unlimited,
  rc_media_create: unlimited,
  rc_presence: { per_user: unlimited },
  rc_room_creation: unlimited,
  rc_user_directory: unlimited,
  rc_reports: unlimited,
};

/** What the server prints goes to its log file, tracebacks included. */
export const synapseLogging = {
  version: 1,
  disable_existing_loggers: false,
  formatters: { line: { format: "%(asctime)s %(levelname)s %(name)s %(message)s" } },
  handlers: { console: { class: "logging.StreamHandler", formatter: "line" } },
  root: { level: "WARNING", handlers: ["console"] },
};

interface SynapseSettings {
  domain: string;
  port: number;
  /** The data folder as the server sees it. */
  folder: string;
  secret: string;
  hasRegistration: boolean;
}

export function synapseConfig({ domain, port, folder, secret, hasRegistration }: SynapseSettings) {
  const client = { names: ["client"], compress: false };
  return {
    server_name: domain,
    public_baseurl: `http://127.0.0.1:${port}/`,
    listeners: [{ type: "http", port, bind_addresses: ["127.0.0.1"], tls: false, resources: [client] }],
    database: { name: "sqlite3", args: { database: join(folder, "homeserver.db") } },
    log_config: join(folder, "logging.yaml"),
    media_store_path: join(folder, "media"),
    signing_key_path: join(folder, "signing.key"),
    pid_file: join(folder, "synapse.pid"),
    enable_registration: false,
    registration_shared_secret: secret,
    macaroon_secret_key: secret,
    form_secret: secret,
    bcrypt_rounds: 4,
    app_service_config_files: hasRegistration ? [join(folder, "registration.yaml")] : [],
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    federation_domain_whitelist: [],
    // Push gateways and media of the tests are on loopback, which Synapse refuses by default.
    ip_range_blacklist: [],
    presence: { enabled: true },
    url_preview_enabled: false,
    // Synapse 1.126 and later put no room into the public directory by default.
    room_list_publication_rules: [{ action: "allow" }],
    report_stats: false,
    ...rateLimits,
  };
}
