/** The prosody.cfg.lua of the tests: no TLS, no s2s, one port for clients and one for HTTP. */
const usualModules = [
  "blocklist",
  "bookmarks",
  "carbons",
  "csi_simple",
  "disco",
  "http",
  "mam",
  "pep",
  "ping",
  "roster",
  "saslauth",
  "time",
  "uptime",
  "vcard4",
  "vcard_legacy",
  "version",
];

interface ProsodySettings {
  domain: string;
  mucDomain: string;
  c2sPort: number;
  httpPort: number;
  /** The data folder as the server sees it. */
  folder: string;
  pluginFolder: string;
  modules: string[];
  /** An external component (XEP-0114), and the port for it. */
  crowd: { domain: string; secret: string; port: number } | undefined;
  archive: "internal" | "memory";
}

function luaString(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function luaList(items: string[]): string {
  return `{ ${items.map(luaString).join(", ")} }`;
}

export function prosodyConfig(settings: ProsodySettings): string {
  const { domain, mucDomain, c2sPort, httpPort, folder, pluginFolder, modules, crowd, archive } = settings;
  const crowdConfig = crowd
    ? `Component ${luaString(crowd.domain)}\n  component_secret = ${luaString(crowd.secret)}\n`
    : "";
  return `
run_as_root = true
data_path = ${luaString(`${folder}/data`)}
pidfile = ${luaString(`${folder}/prosody.pid`)}
plugin_paths = ${luaList([pluginFolder])}
log = { info = "*console" }

interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { ${c2sPort} }
c2s_direct_tls_ports = {}
s2s_ports = {}
s2s_direct_tls_ports = {}
component_ports = { ${crowd?.port ?? ""} }
component_interfaces = { "127.0.0.1" }
http_ports = { ${httpPort} }
http_interfaces = { "127.0.0.1" }
https_ports = {}
http_default_host = ${luaString(domain)}

c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
default_iteration_count = 4096
storage = { default = "internal", archive = ${luaString(archive)}, muc_log = ${luaString(archive)} }

modules_enabled = ${luaList([...usualModules, ...modules])}
modules_disabled = { "s2s", "tls" }

VirtualHost ${luaString(domain)}

Component ${luaString(mucDomain)} "muc"
  modules_enabled = { "muc_mam", "muc_moderation" }

${crowdConfig}`;
}
