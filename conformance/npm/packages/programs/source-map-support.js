const sourceMaps = require('source-map-support');
const { SourceMapGenerator } = require('source-map');
const { cases } = require('./support/cases.js');

// A file of one line that says it was made of `original.ts`.
function compiled() {
  const map = new SourceMapGenerator({ file: 'made.js' });
  map.addMapping({ generated: { line: 1, column: 0 }, original: { line: 10, column: 2 }, source: 'original.ts' });
  map.setSourceContent('original.ts', `${'\n'.repeat(9)}  throw new Error('original');\n`);
  return map.toString();
}

module.exports = () => {
  const prepared = Error.prepareStackTrace;
  const made = '/var/task/made.js';
  sourceMaps.install({
    environment: 'node',
    handleUncaughtExceptions: false,
    hookRequire: false,
    retrieveSourceMap: (file) => file === made ? { url: 'made.js.map', map: compiled() } : null,
  });
  const thrown = (code) => {
    try {
      new (require('vm').Script)(code, { filename: made }).runInThisContext();
    } catch (error) {
      return error;
    }
  };
  const first = (stack, n = 2) => stack.split('\n').slice(0, n);
  return cases({
    exports: () => Object.keys(sourceMaps).sort(),
    mapped: () => first(thrown("throw new Error('mapped')").stack),
    unmapped: () => first(new Error('here').stack)[1].includes('programs/source-map-support.js'),
    position: () => {
      const { source, line, column } = sourceMaps.mapSourcePosition({ source: made, line: 1, column: 0 });
      return [require('path').basename(source), line, column];
    },
    frame: () => {
      const error = thrown("throw new TypeError('kept')");
      return [error.name, error.message, sourceMaps.getErrorSource(error) ?? null];
    },
    captured: () => {
      const target = {};
      Error.captureStackTrace(target);
      return typeof target.stack;
    },
    without_map: () => sourceMaps.retrieveSourceMap('/var/task/none.js'),
    reset: () => {
      sourceMaps.resetRetrieveHandlers();
      Error.prepareStackTrace = prepared;
      return typeof new Error('x').stack;
    },
    registered: () => {
      require('source-map-support/register');
      return Object.keys(require('source-map-support/register'));
    },
  });
};
