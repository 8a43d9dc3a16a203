'use strict';
// The row on `tty`: there is no terminal.
const tty = require('tty');
const { each, wrong, shape } = require('../lib/cases.js');

module.exports = { exports: shape(tty), isatty: each(tty.isatty, [0, 1, 2, 99999, -1, 2 ** 31, 1.5, ...wrong()]) };
