'use strict';
// Runs the cases of one file and says how each ended (NC-120). Node runs it as a program, a node of Fourfront as a
// function whose bundle this directory is:
//
//   node run.js querystring            the outcomes as JSON
//   node run.js querystring "parse/"   those whose name starts so, for reading
//
// A file in `cases/` exports `{ function: { case: () => outcome } }`. What a case returns is awaited; what it throws is
// an outcome as well. Cases of `console` are compared by what they print, so they come with marks around.

const { describe, text } = require('./lib/describe.js');

const PATIENCE = 10_000;
const { setTimeout, clearTimeout } = globalThis;

async function outcome(run) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ t: 'never settled' }), PATIENCE);
  });
  const settled = (async () => {
    try {
      return { value: describe(await run()) };
    } catch (error) {
      return { thrown: describe(error) };
    }
  })();
  const ended = await Promise.race([settled, late]);
  clearTimeout(timer);
  return ended;
}

/** Node's own console writes to two streams: what is written while `run` runs, told apart. */
function printed(run) {
  const lines = [];
  const before = {};
  for (const name of ['stdout', 'stderr']) {
    before[name] = process[name].write;
    process[name].write = (chunk) => lines.push([name, text(String(chunk).replace(/\n$/, ''))]);
  }
  try {
    run();
  } finally {
    for (const name of ['stdout', 'stderr']) process[name].write = before[name];
  }
  return { printed: lines };
}

async function run(file, prefix, isHook) {
  // Handlers run as a promise job, so the program does as well.
  await undefined;
  const functions = require(`./cases/${file}.js`);
  const outcomes = {};
  for (const [name, cases] of Object.entries(functions)) {
    for (const [title, act] of Object.entries(cases)) {
      const id = `${name}/${title}`;
      if (!id.startsWith(prefix)) continue;
      if (file !== 'console') {
        outcomes[id] = await outcome(act);
      } else if (isHook) {
        console.log(`begin ${id}`);
        act();
        console.log(`end ${id}`);
        outcomes[id] = 'in the log';
      } else {
        outcomes[id] = printed(act);
      }
    }
  }
  return outcomes;
}

exports.handler = async (event) => {
  // Where the server for the cases of the network listens.
  process.env.PEER = event.peer;
  return run(event.file, event.prefix ?? '', true);
};

if (require.main === module) {
  const [file, prefix] = process.argv.slice(2);
  run(file, prefix ?? '', false).then((outcomes) => {
    // Cases may leave timers behind, so it does not end by itself.
    process.stdout.write(JSON.stringify(outcomes, null, prefix === undefined ? 0 : 1), () => process.exit(0));
  });
}
