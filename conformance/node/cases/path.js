'use strict';
// The row on `path`: POSIX rules in a function, and the other kind for those who ask.
const path = require('path');
const { calls, each, wrong, shape } = require('../lib/cases.js');

const paths = ['', '.', '..', '/', '//', '///a', 'a', 'a/', 'a/b', '/a/b/', '/a//b', './a', '../a', 'a/../b', 'a/../../b', '/../a', 'a/./b', 'a.b', '.a', 'a.', 'a.b.c', '..a', 'a..', '/a/.b', '/a/b.c/', 'a\\b', 'C:\\a\\b', 'C:/a', 'C:', 'C:a', '\\\\s\\share\\x', '//s/share/x', 'ü/😀', 'a b/c d', ' ', 'a/b.ext/..', './/a', '/a/..', 'CON', 'C:\\..\\a', '\\a', '\\\\?\\C:\\a', 'a/\u0000b'];
const both = (p, where) => ({
  [`${where} basename`]: { ...each(p.basename, paths), ...each(p.basename, wrong()), ...calls(p.basename, ['/a/b.c', '.c'], ['a.b', 'a.b'], ['/a/b.c/', '.c'], ['b', 'ab'], ['aaa', 'a'], ['x', ''], ['x.y', 1], ['a.js', 'js'], ['.js', '.js']) },
  [`${where} dirname`]: { ...each(p.dirname, paths), ...each(p.dirname, wrong()) },
  [`${where} extname`]: { ...each(p.extname, paths), ...each(p.extname, wrong()) },
  [`${where} normalize`]: { ...each(p.normalize, paths), ...each(p.normalize, wrong()) },
  [`${where} parse`]: { ...each(p.parse, paths), ...each(p.parse, wrong()) },
  [`${where} isAbsolute`]: { ...each(p.isAbsolute, paths), ...each(p.isAbsolute, [undefined, 1]) },
  [`${where} join`]: calls(p.join, [], [''], ['a', 'b'], ['a', '', 'b'], ['/a', '../b'], ['a', '/b'], ['..', '..'], ['', ''], ['/', 'a', '..', '..'], ['a/', '/b'], ['//a', 'b'], ['a', 1], [undefined], [null, 'a'], ['\\\\a', 'b'], ['c:', 'a']),
  [`${where} relative`]: calls(p.relative, ['/a/b/c', '/a/d'], ['/a', '/a'], ['/a', '/a/b'], ['/a/b', '/a'], ['/', '/x'], ['/x', '/'], ['/aa', '/a'], ['/a/bb', '/a/b'], ['', ''], ['C:\\a\\b', 'C:\\a\\c'], ['C:\\a', 'D:\\b'], ['/a', 1], [undefined, 'x'], ['/A/b', '/a/B']),
  [`${where} format`]: each(p.format, [{}, { dir: '/a', base: 'b' }, { root: '/', base: 'b' }, { root: '/', dir: '/', base: 'b' }, { name: 'a', ext: '.b' }, { name: 'a', ext: 'b' }, { dir: 'x', name: 'y' }, { root: 'r', name: 'n', ext: '.e' }, { base: 'b', name: 'n' }, ...wrong()]),
  [`${where} toNamespacedPath`]: each(p.toNamespacedPath, ['/a', 'C:\\a', '\\\\s\\x\\y', '', undefined, 1]),
});

module.exports = {
  exports: shape(path),
  'exports of posix': shape(path.posix),
  'exports of win32': shape(path.win32),
  constants: { values: () => [path.sep, path.delimiter, path.win32.sep, path.win32.delimiter], same: () => [path === path.posix, require('path/posix') === path.posix, require('path/win32') === path.win32, path.win32.win32 === path.win32] },
  ...both(path.posix, 'posix'),
  ...both(path.win32, 'win32'),
  'posix resolve': calls((...a) => path.resolve(...a).replace(process.cwd(), '<cwd>'), [], [''], ['a'], ['/a', 'b'], ['/a', '/b'], ['/a', '../..', 'c'], ['a', '..', 'b'], ['/a/', ''], [1], ['/x', null], ['.'], ['/a', 'b/', './c/../d']),
  'win32 resolve': calls(path.win32.resolve, ['C:\\a', 'b'], ['C:/a', 'D:\\x', '..'], ['\\\\s\\x', '..\\y'], ['C:\\', '\\b'], ['C:\\a', 'C:b'], ['c:/ignore', 'c:/some/file'], ['C:\\a', 1]),
  matchesGlob: calls((...a) => (path.matchesGlob ? path.matchesGlob(...a) : 'absent'), ['a/b.js', 'a/*.js'], ['a/b.js', '**/*.js'], ['a/b', 'a/c'], ['a', '[ab]'], ['/x/y/z', '/x/**'], ['a.ts', '*.{js,ts}'], [1, 'x'], ['x', 1]),
};
