// Takes relative names to lie in one folder of `/tmp`, so that the tours can be run anywhere.
exports.within = (dir, fs) => {
  const here = (x) => (typeof x === 'string' && x !== '' && x[0] !== '/' && !x.includes('\0') ? `${dir}/${x}` : x);
  const wrap = (name, call) => {
    const wrapped = (...args) => {
      if (!name.startsWith('symlink')) args[0] = here(args[0]);
      if (/^(rename|copyFile|link|symlink|cp)/.test(name)) args[1] = here(args[1]);
      return call(...args);
    };
    return Object.assign(wrapped, call.native && { native: wrap('realpath', call.native) });
  };
  const all = (from) => Object.fromEntries(Object.keys(from).map((k) => [k, typeof from[k] === 'function' && /^[a-z]/.test(k) ? wrap(k, from[k]) : from[k]]));
  return { ...all(fs), promises: all(fs.promises) };
};
exports.told = (e) => [e.name, e.message, e.code, e.errno, e.syscall, e.path, e.dest].map((x) => x ?? '').join('|');
