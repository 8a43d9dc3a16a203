// `node index.js errors` writes `errors.txt` anew, with a folder of the machine's own `/tmp`.
const run = async (name, dir) => {
  const fs = require('fs');
  fs.rmSync(dir, { recursive: true, force: true });
  fs.mkdirSync(dir);
  return (await require(`./${name}`)(fs, dir)).join('\n') + '\n';
};
exports.handler = (event) => run(event.name, `/tmp/ff-${event.name}`);
if (require.main === module) {
  const name = process.argv[2];
  run(name, `/tmp/ff-${name}`).then((text) => require('fs').writeFileSync(`${__dirname}/${name}.txt`, text));
}
