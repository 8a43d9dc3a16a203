"use strict"; return ((function () {
// `node:os`: fixed, plausible values. Nothing of the host (NC-25 and the line on `os` after it).
const { internals } = __bootstrap;
const memory = () => internals.fourfront.memory;
const refuse = (name) => () => {
  const error = new Error(`fourfront: os.${name} is not available in functions`);
  error.code = "ERR_ACCESS_DENIED";
  throw error;
};
const cpu = { model: "Virtual CPU", speed: 2500, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } };
// Each prints as what it gives, in a template for one.
const printing = (os) => {
  for (const name of Object.keys(os)) {
    const act = os[name];
    if (typeof act === "function" && /^(arch|availableParallelism|endianness|freemem|homedir|hostname|machine|platform|release|tmpdir|totalmem|type|uptime|version)$/.test(name)) {
      Object.defineProperty(act, Symbol.toPrimitive, { value: act, writable: true, configurable: true });
    }
  }
  return os;
};
const constants = () => {
  const { dlopen, errno, priority, signals, UV_UDP_REUSEADDR } = __bootstrap.core.loadExtScript("ext:deno_node/internal_binding/constants.ts").os;
  const bare = (table) => Object.assign(Object.create(null), table);
  // A name of old for SIGSYS.
  const { SIGUNUSED, ...named } = signals;
  return Object.assign(Object.create(null), { UV_UDP_REUSEADDR, dlopen: bare(dlopen), errno: bare(errno), signals: Object.freeze(bare(named)), priority: bare(priority) });
};
let knownConstants;
const checkPid = (pid) => {
  const { validateInt32 } = __bootstrap.core.loadExtScript("ext:deno_node/internal/validators.mjs");
  validateInt32(pid, "pid");
};
return printing({
  EOL: "\n",
  devNull: "/dev/null",
  arch: () => "x64",
  availableParallelism: () => 1,
  get constants() {
    return knownConstants ??= constants();
  },
  cpus: () => [{ ...cpu, times: { ...cpu.times } }],
  endianness: () => "LE",
  freemem: memory,
  getPriority: (pid = 0) => {
    checkPid(pid);
    return 0;
  },
  homedir: () => "/home/sbx_user1051",
  hostname: () => "localhost",
  loadavg: () => [0, 0, 0],
  machine: () => "x86_64",
  networkInterfaces: () => ({}),
  platform: () => "linux",
  release: () => "5.10.0",
  setPriority: refuse("setPriority"),
  tmpdir: () => "/tmp",
  totalmem: memory,
  type: () => "Linux",
  uptime: () => 60,
  userInfo: (options) => {
    const encode = options?.encoding === "buffer" ? (text) => globalThis.Buffer.from(text) : (text) => text;
    return { uid: 993, gid: 990, username: encode("sbx_user1051"), homedir: encode("/home/sbx_user1051"), shell: encode("/sbin/nologin") };
  },
  version: () => "#1 SMP",
});
})()
);
