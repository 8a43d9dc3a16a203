// The handler of the bundle: loads the package, which is measured, and runs its program. PACKAGE and PROGRAM are put in
// when the bundle is made.
const used = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const server = JSON.parse(process.env.SERVER);
Object.assign(process.env, server.environment);

let loaded;
async function load() {
  const before = used();
  const start = process.hrtime.bigint();
  try {
    require('PACKAGE');
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM') throw error;
    await import('PACKAGE');
  }
  return { ms: Number(process.hrtime.bigint() - start) / 1e6, kib: (used() - before) / 1024 };
}

exports.run = async () => {
  loaded ??= await load();
  const program = require('./programs/PROGRAM.js');
  return { load: loaded, cases: await program(server) };
};

exports.handler = async () => ({ status: '200', body: JSON.stringify(await exports.run()) });
