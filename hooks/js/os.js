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
return {
  EOL: "\n",
  devNull: "/dev/null",
  arch: () => "x64",
  availableParallelism: () => 1,
  get constants() {
    return __bootstrap.core.loadExtScript("ext:deno_node/internal_binding/constants.ts").os;
  },
  cpus: () => [{ ...cpu, times: { ...cpu.times } }],
  endianness: () => "LE",
  freemem: memory,
  getPriority: () => 0,
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
  userInfo: () => ({ uid: 993, gid: 990, username: "sbx_user1051", homedir: "/home/sbx_user1051", shell: "/sbin/nologin" }),
  version: () => "#1 SMP",
};
})()
);
