// Runs named cases in their order. A case that throws has `thrown` as its result, which the test takes for a mistake
// in the program: what is meant to fail goes through `failing`.

function told(error) {
  if (error === null || typeof error !== 'object') return error;
  const { name, message, code, statusCode, status } = error;
  return { name, message, code, statusCode, status };
}

exports.cases = async (cases) => {
  const results = {};
  for (const [name, run] of Object.entries(cases)) {
    try {
      results[name] = (await run()) ?? null;
    } catch (error) {
      results[name] = { thrown: told(error), stack: error?.stack };
    }
  }
  return results;
};

/** What `run` fails with; a success is no answer. */
exports.failing = async (run) => {
  let result;
  try {
    result = await run();
  } catch (error) {
    return told(error);
  }
  throw new Error(`expected a failure: ${JSON.stringify(result)}`);
};

/** A stream's text. */
exports.text = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
};

exports.told = told;
