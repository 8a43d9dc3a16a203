// What a run came to: the counts by kind of test, where the caches differ, and whether the node's failures are the
// expected ones.

const KINDS = ['required', 'optimal', 'check'];

/** Words for the marks that the suite gives. */
const WORDS = new Map([
  ['✅', 'pass'],
  ['⛔️', 'fail'],
  ['⚠️', 'fail'],
  ['Y', 'yes'],
  ['N', 'no'],
  ['🔹', 'setup'],
  ['⁉️', 'harness'],
  ['⚪️', 'depends'],
  ['↻', 'retry'],
  ['-', '-'],
]);

/** The suite's tests by id, with their kind. Those for browsers alone are left out. */
export function testsOf(suites) {
  const tests = suites.flatMap((suite) => suite.tests).filter((test) => !test.browser_only);
  return tests.map((test) => ({ id: test.id, name: test.name, kind: test.kind ?? 'required' }));
}

/** Result words by test id: what the suite's own web page would show. */
export function judged(suites, results, determine) {
  const words = {};
  for (const { id } of testsOf(suites)) {
    const mark = determine(suites, id, results)[2];
    words[id] = WORDS.get(mark) ?? mark;
  }
  return words;
}

function count(tests, words, kind) {
  const wanted = kind === 'check' ? 'yes' : 'pass';
  return tests.filter((test) => test.kind === kind && words[test.id] === wanted).length;
}

/** The table of passes: a row for each cache. */
export function table(tests, rows) {
  const totals = KINDS.map((kind) => tests.filter((test) => test.kind === kind).length);
  const lines = [['', ...KINDS.map((kind, i) => `${kind} (${totals[i]})`)]];
  for (const { title, words } of rows) {
    lines.push([title, ...KINDS.map((kind) => String(count(tests, words, kind)))]);
  }
  return aligned(lines);
}

/** Tests whose outcome is not the same everywhere, and those that all fail. */
export function differences(tests, rows) {
  const lines = [['test', 'kind', ...rows.map((row) => row.title)]];
  for (const test of tests) {
    const outcomes = rows.map((row) => row.words[test.id]);
    const same = outcomes.every((outcome) => outcome === outcomes[0]);
    if (same && ['pass', 'yes', 'no'].includes(outcomes[0])) continue;
    lines.push([test.id, test.kind, ...outcomes]);
  }
  return aligned(lines);
}

function aligned(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd()).join('\n');
}

/** Expected deviations: `id <tab> reason` a line. */
export function parseDeviations(text, tests) {
  const expected = new Map();
  const known = new Map(tests.map((test) => [test.id, test]));
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [id, reason, ...more] = line.split('\t');
    if (!reason?.trim() || more.length > 0) throw new Error(`deviations.tsv: not "id <tab> reason": ${line}`);
    if (!known.has(id)) throw new Error(`deviations.tsv: the suite has no test ${id}`);
    if (known.get(id).kind === 'check') throw new Error(`deviations.tsv: ${id} only looks, nothing is expected of it`);
    if (expected.has(id)) throw new Error(`deviations.tsv: ${id} is there twice`);
    expected.set(id, reason.trim());
  }
  return expected;
}

/** Ids that fail without being expected to, and ids that are expected to and pass. */
export function compare(tests, words, expected) {
  const judgedTests = tests.filter((test) => test.kind !== 'check' && test.id in words);
  return {
    surprising: judgedTests.filter((t) => words[t.id] !== 'pass' && !expected.has(t.id)).map((t) => t.id),
    stale: judgedTests.filter((t) => words[t.id] === 'pass' && expected.has(t.id)).map((t) => t.id),
  };
}
