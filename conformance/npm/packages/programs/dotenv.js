const path = require('path');
const dotenv = require('dotenv');
const { cases } = require('./support/cases.js');

module.exports = () => cases({
  exports: () => Object.keys(dotenv).sort(),
  parse: () => dotenv.parse("# comment\nA=1\nB = 'two words'\nC=\"line\\nbreak\"\nexport D=x#y\nE=`back 'ticks'`\nF=\n G=$HOME # after\nH: colon\n\"I\"=no"),
  parse_buffer: () => dotenv.parse(Buffer.from('A=\u00e9\r\nB=2\r\n')),
  multiline: () => dotenv.parse('KEY="-----BEGIN\nkey\n-----END"\nNEXT=1').KEY.split('\n'),
  file: () => {
    const { parsed } = dotenv.config({ path: path.join(__dirname, 'support/example.env'), quiet: true });
    return [parsed, process.env.FROM_FILE, process.env.AWS_REGION];
  },
  override: () => {
    dotenv.config({ path: path.join(__dirname, 'support/example.env'), override: true, quiet: true });
    const now = process.env.AWS_REGION;
    process.env.AWS_REGION = 'us-east-1';
    return now;
  },
  several: () => Object.keys(dotenv.config({ path: [path.join(__dirname, 'none.env'), path.join(__dirname, 'support/example.env')], quiet: true }).parsed ?? {}),
  missing: () => {
    const { error } = dotenv.config({ path: '/nowhere/.env', quiet: true });
    return [error.code, error.message];
  },
  populate: () => {
    const target = { A: 'kept' };
    dotenv.populate(target, { A: 'new', B: 'added' });
    return target;
  },
});
