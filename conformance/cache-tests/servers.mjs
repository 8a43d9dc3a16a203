// The programs of one run: the suite's origin and the caches in front of it. Each has a folder of its own and free
// ports, and ends with the run.

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/** How long a program may take to start, in milliseconds: enough for a busy machine. */
const PATIENCE = 60_000;

const started = new Set();

/** A program at work, with what it has printed so far. */
class Program {
  constructor(name, command, options) {
    this.name = name;
    this.output = '';
    this.waiting = [];
    this.child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    started.add(this.child);
    const take = (chunk) => {
      this.output += chunk;
      for (const look of this.waiting) look();
    };
    this.child.stdout.on('data', take);
    this.child.stderr.on('data', take);
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(error.message));
      this.child.on('exit', (code, signal) => resolve(`exit code ${code ?? signal}`));
    });
    this.ended.then(() => started.delete(this.child));
  }

  failure(what) {
    return new Error(`${this.name}: ${what}\n${this.output.slice(-4000)}`);
  }

  /** The first group of a pattern, once the program has printed it. */
  async printed(pattern) {
    const found = new Promise((resolve) => {
      const look = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match[1]);
      };
      this.waiting.push(look);
      look();
    });
    return this.unlessItFails(found, `printed nothing like ${pattern}`);
  }

  /** Asks until there is an answer: nothing tells when nginx and Varnish listen. */
  async answers(url) {
    let over = false;
    const asking = (async () => {
      while (!over) {
        const answer = await fetch(url).catch(() => undefined);
        await answer?.arrayBuffer();
        if (answer?.ok) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await this.unlessItFails(asking, `does not answer ${url}`).finally(() => {
      over = true;
    });
    return this;
  }

  async unlessItFails(promise, late) {
    let timer;
    const ended = this.ended.then((how) => {
      throw this.failure(how);
    });
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(this.failure(late)), PATIENCE);
    });
    try {
      return await Promise.race([promise, ended, timeout]);
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
    }
  }
}

/** Ends everything that was started. */
export function stopAll() {
  for (const child of started) child.kill('SIGKILL');
}

/** The suite's own origin, which is told by each test what to answer. Gives its port. */
export async function startOrigin(suite, folder) {
  const env = {
    ...process.env,
    npm_config_protocol: 'http',
    npm_config_port: '0',
    npm_config_pidfile: join(folder, 'origin.pid'),
  };
  const command = [process.execPath, join(suite.engine, 'server/server.mjs')];
  const program = new Program('origin', command, { cwd: suite.root, env });
  return Number(await program.printed(/^Listening on http:\/\/.*:(\d+)\/$/m));
}

/** The caches by name. Each start takes a folder and the origin's port and gives name, version and URL. */
export const caches = {
  async fourfront(folder, origin, { fourfront }) {
    const command = [fourfront, 'serve', '-c', join(HERE, 'fourfront.yaml')];
    const program = new Program('fourfront', command, { env: { ...process.env, ORIGIN: String(origin) } });
    const url = await program.printed(/serving on (http:\/\/[^,\s]+)/);
    await program.answers(url);
    return { name: 'fourfront', version: await version([fourfront, '--version'], /(\d+\.\d+\S*)/), url };
  },

  async nginx(folder, origin) {
    const nginx = found('nginx');
    if (!nginx) return undefined;
    const port = await freePort();
    mkdirSync(join(folder, 'cache'));
    const config = filled('nginx.conf', {
      FOLDER: folder,
      PORT: port,
      ORIGIN: origin,
      // Workers started by root change to another user, who may not enter the folder.
      USER: process.getuid() === 0 ? 'user root;' : '',
    });
    writeFileSync(join(folder, 'nginx.conf'), config);
    const command = [nginx, '-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'nginx-error.log')];
    const url = `http://127.0.0.1:${port}`;
    await new Program('nginx', command).answers(url);
    return { name: 'nginx', version: await version([nginx, '-v'], /nginx\/(\S+)/), url };
  },

  async varnish(folder, origin) {
    const varnishd = found('varnishd');
    if (!varnishd) return undefined;
    const port = await freePort();
    writeFileSync(join(folder, 'default.vcl'), filled('varnish.vcl', { ORIGIN: origin }));
    const command = [
      ...[varnishd, '-F', '-n', join(folder, 'work'), '-j', 'none', '-a', `127.0.0.1:${port}`],
      ...['-f', join(folder, 'default.vcl'), '-s', 'malloc,64M'],
      ...['-p', 'default_ttl=0', '-p', 'default_grace=0', '-p', 'default_keep=3600'],
    ];
    const url = `http://127.0.0.1:${port}`;
    await new Program('varnish', command).answers(url);
    return { name: 'varnish', version: await version([varnishd, '-V'], /varnish-(\S+)/), url };
  },
};

/** A program by name, also where Debian keeps those of daemons. */
function found(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there; perhaps in the next.
    }
  }
  return undefined;
}

function filled(file, marks) {
  let text = readFileSync(join(HERE, file), 'utf8');
  for (const [mark, value] of Object.entries(marks)) text = text.replaceAll(`@${mark}@`, String(value));
  return text;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function version(command, pattern) {
  const program = new Program(command[0], command);
  await program.ended;
  return pattern.exec(program.output)?.[1] ?? '?';
}
