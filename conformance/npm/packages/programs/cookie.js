const { cases, failing } = require('./support/cases.js');

module.exports = async () => {
  const cookie = await import('cookie');
  const parse = cookie.parseCookie ?? cookie.parse;
  const parseSet = cookie.parseSetCookie;
  const stringifySet = cookie.stringifySetCookie ?? cookie.serialize;
  return cases({
    exports: () => Object.keys(cookie).sort(),
    parse: () => ({ ...parse('a=1; b="two"; c=%C3%A9; d; a=3; e=x=y') }),
    parse_malformed: () => ({ ...parse('a=%zz; =b; ;; c=%E0%A4') }),
    parse_decode: () => ({ ...parse('a=b64', { decode: (v) => Buffer.from(v).toString('base64') }) }),
    null_prototype: () => Object.getPrototypeOf(parse('a=1'))?.constructor?.name ?? null,
    set: () => stringifySet({ name: 'session', value: 'v\u00e9 1', maxAge: 3600, domain: 'shop.test', path: '/', httpOnly: true, secure: true, sameSite: 'lax', expires: new Date(1740830400000), partitioned: true, priority: 'high' }),
    set_encode: () => stringifySet({ name: 'a', value: 'x y' }, { encode: (v) => v.replace(' ', '+') }),
    set_refused: () => failing(() => stringifySet({ name: 'a b', value: 'x' })),
    set_path_refused: () => failing(() => stringifySet({ name: 'a', value: 'x', path: '/\n' })),
    parse_set: () => parseSet?.('a=%20b; Path=/; Max-Age=10; Secure; SameSite=None; Expires=Sat, 01 Mar 2025 12:00:00 GMT') ?? null,
    stringify: () => cookie.stringifyCookie?.({ a: '1', b: 'x y' }) ?? null,
  });
};
