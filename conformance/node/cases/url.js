'use strict';
// NC-12
const url = require('url');
const { calls, each, wrong, shape, caught } = require('../lib/cases.js');

const legacy = [
  'http://user:pass@Example.COM:8080/p/a/t/h?query=string#hash', '/p?q=1', 'p', '', '//host/path', 'HTTP://A.b/C', 'http://a.com', 'http://a.com?x', 'http://a.com#h', 'http://a b.com/', 'http://a.com/a b"c<d>`e{f}|g\\h^i',
  'http://ü.de/ü?ä#ö', 'mailto:a@b.c', 'javascript:alert(1)', 'file:///etc/passwd', 'http://[::1]:80/x', 'http://a.com:/', 'http://a.com:99999/', 'http:/a', 'http:a', 'x:y', '?a=b', '#x', '/a?b?c#d#e',
  'http://a@b@c/', 'http://a.com:80:80/', 'https://a.com;x/y', "http://x.com/'q", 'http://a.com/%zz', '\thttp://a.com/\n', 'http://a.com\\b\\c?d\\e', 'coap:u@h/p', 'ws://a/b', 'http://a.com/p;x=1', 'http://-a-.com/', 'http://a_b.com/',
  'http://user@/x', 'git+ssh://git@github.com:a/b.git', 'http://a.b/\tbc\ndr\ref g"hq\'j<kl>?mn\\op=q=\'99{st|uv}wx', 'https://*', '*', '/*', 'x://ss', 'http://0x7f.1/', '///a', 'http:///a', 'http://1.2.3.4:5',
];
const whatwg = [
  'http://user:p%40ss@Example.COM:80/a/../b/./c?q=1#h', 'https://ü.de/ü?ä#ö', 'HTTP://a', 'http://a:81', 'file:///C|/x', 'file://host/p', 'data:text/plain,hi', 'blob:http://a/b', 'javascript:1', 'http://[::1]/', 'http://0x7f.1', 'http://256.1.1.1', 'http://1.2.3', 'http://a b',
  'http://a/ b', 'x', '', 'http://', '//a', 'http:a', 'mailto:x@y', 'http://a?b=c d', "http://a?'", 'http://a/%zz', 'http://a/%41', ' http://a ', 'http://a\tb', 'http://xn--tda.de', 'http://a.com:65536', 'http://a:b', 'non-special://H/p ath', 'http://%41.com', 'https://a/\\b', 'http://a..b/', 'http://a@:80', 'wss://a:443/',
  'http://a/?a=1&a=2', 'http://faß.de', 'http://[1::2::3]', 'http://a/#', 'http://a/?',
];

module.exports = {
  exports: shape(url),
  parse: {
    ...each((s) => url.parse(s), legacy),
    ...calls(url.parse, ['/p?a=1&a=2&b', true], ['/p', true], ['', true], ['//h/p', false, true], ['//h/p?x', true, true], ['//u@h:1/p', undefined, true], ['/a?__proto__=1', true]),
    ...each(url.parse, wrong()),
    'with new': () => new url.parse('http://a/b?c').path,
    'a parsed one comes back': () => { const u = url.parse('http://a/b'); return url.parse(u) === u; },
    'class': () => url.parse('/a') instanceof url.Url,
    'a bad host': () => url.parse('http://\ud800.com/'),
    'a bad port with a name': () => url.parse('http://a.com:b/'),
    'too strange an address': () => url.parse('http://[::1/x'),
  },
  Url: { 'empty': () => new url.Url(), 'parse method': () => new url.Url().parse('http://a/b?x', true), 'resolve method': () => url.parse('http://a/b/c').resolve('../d'), 'resolveObject': () => url.parse('http://a/b/c').resolveObject('d?e'), 'format method': () => url.parse('HTTP://A/b').format() },
  format: {
    ...each(url.format, legacy),
    ...each(url.format, wrong()),
    ...each(url.format, [
      { protocol: 'http', host: 'a.com', pathname: '/x', search: 'y=1' }, { protocol: 'https:', hostname: 'a', port: 8080, pathname: 'x' }, { hostname: '::1', port: 1, slashes: true }, { pathname: '/a b?c#d' }, { pathname: '/a', query: { b: [1, 2], c: 'd e' } }, { search: '?x', query: { y: 1 } }, { auth: 'a:b@c', host: 'h', protocol: 'ftp' },
      { protocol: 'mailto', auth: 'a', hostname: 'b.c' }, { protocol: 'file', pathname: '/x' }, { hash: 'h', pathname: 'x' }, { search: '?a#b' }, { protocol: 'javascript', pathname: 'alert(1)' }, { host: 'ü.de', protocol: 'http' }, { protocol: 'x', slashes: true, host: 'h' }, { query: 'a=1' }, { port: 80 },
    ]),
    ...calls((s, o) => url.format(new URL(s), o), ['http://u:p@ü.de:81/a?b#c', undefined], ['http://u:p@ü.de:81/a?b#c', { auth: false }], ['http://u:p@ü.de/a?b#c', { fragment: false, search: false }], ['http://xn--tda.de/', { unicode: true }], ['http://a/', 1], ['http://a/', null]),
  },
  resolve: {
    ...calls(url.resolve, ['/one/two/three', 'four'], ['http://example.com/', '/one'], ['http://example.com/one', '/two'], ['http://a.com/b/c/d?q', '../e'], ['http://a.com/b/c/d', '../../../e'], ['http://a.com', '//b.com/x'], ['http://a.com/x', 'https:y'], ['http://a.com/x', 'http:y'],
      ['http://a.com/x?y', '?z'], ['http://a.com/x?y', '#z'], ['http://a.com/x', ''], ['', 'x'], ['.', '#hash1'], ['/a/b/', '.'], ['/a/b/', '..'], ['a/b', '../../../c'], ['http://u:p@a/b', '//c/d'], ['mailto:a@b', 'c@d'], ['http://a/b', 'javascript:1'], ['http://a', 'b'], ['http://a/b;c', 'd;e'], ['/a', 'http://b'], ['file:///a/b', 'c'], ['x:y', 'z']),
    ...calls(url.resolve, [undefined, 'x'], ['x', undefined], [1, 'x'], ['x', null]),
  },
  resolveObject: calls(url.resolveObject, ['http://a/b', 'c'], ['/a', '/b?c'], ['', '']),
  URL: {
    ...each((s) => { const u = new URL(s); return [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash]; }, whatwg),
    ...calls((s, b) => new URL(s, b).href, ['x', 'http://a/b/c'], ['../x', 'http://a/b/c/d'], ['//h', 'https://a'], ['?q', 'http://a/b?c'], ['#f', 'http://a/b?c'], ['', 'http://a/b?c#d'], ['x', 'bad'], ['http:x', 'http://a/b/'], ['/x', 'data:y'], ['x', new URL('http://a/b')], ['\\x', 'http://a/b'], ['x', '']),
    ...each((s) => new URL(s), wrong()),
    'the error has the input': () => { const e = caught(() => new URL('nope', 'http://a b')); return [e.name, e.code, e.message, e.input, e.base, Object.keys(e)]; },
    'without new': () => URL('http://a'),
    'same as the global': () => url.URL === URL && url.URLSearchParams === URLSearchParams,
    canParse: () => [URL.canParse('http://a'), URL.canParse('a'), URL.canParse('a', 'http://b')],
    'canParse without arguments': () => URL.canParse(),
    'toJSON and toString': () => [JSON.stringify({ u: new URL('http://a') }), String(new URL('http://a/b')), `${new URL('x:y')}`],
    keys: () => Object.keys(new URL('http://a')),
    tag: () => Object.prototype.toString.call(new URL('http://a')),
    'another receiver': () => Object.getOwnPropertyDescriptor(URL.prototype, 'href').get.call({}),
    parse: () => (URL.parse ? [URL.parse('http://a/b').href, URL.parse('nope')] : 'absent'),
  },
  'URL setters': calls((start, name, value) => { const u = new URL(start); u[name] = value; return u.href; },
    ['http://a/b', 'protocol', 'https'], ['http://a/b', 'protocol', 'mailto'], ['http://a:443/b', 'protocol', 'https:'], ['http://a', 'host', 'c:81'], ['http://a', 'hostname', 'c:81'], ['http://a', 'hostname', ''], ['http://a:1', 'port', ''], ['http://a', 'port', '99999'], ['http://a', 'port', '12x'], ['http://a', 'port', 80],
    ['http://a', 'pathname', 'x y'], ['http://a', 'pathname', '?#'], ['http://a/b?c', 'search', ''], ['http://a', 'search', '?ü=1 2'], ['http://a', 'search', 'x#y'], ['http://a#b', 'hash', ''], ['http://a', 'hash', '#ü x'], ['http://a', 'username', 'u@:'], ['http://a', 'password', 'p/'], ['http://a', 'href', 'nope'], ['http://a', 'href', 'https://x/y'], ['mailto:x', 'host', 'y'], ['http://a', 'origin', 'http://b'], ['data:x', 'pathname', 'y'], ['file:///x', 'port', '1']),
  URLSearchParams: {
    ...each((init) => [...new URLSearchParams(init)], ['a=1&b=2', '?a=1', 'a', 'a=b=c', '&&', 'a+b=%20', '%zz=%ff', '', { a: 1, b: 'x' }, [['a', 'b'], ['a', 'c']], new URLSearchParams('x=1'), new Map([['k', 'v']]), undefined, null, 1, [['a']], [['a', 'b', 'c']], [1], { [Symbol('s')]: 1 }, { a: '\ud800' }, () => {}, true, 'a=😀', '+=+']),
    ...each((s) => new URLSearchParams(s).toString(), ['a=1&b=2', 'a b=c d', 'ü=%C3%BC', "a=!'()*~-._", 'a', '%00=%0a', 'a=&=b', 'x=%zz']),
    'append, delete, get, getAll, has, set': () => {
      const p = new URLSearchParams('a=1&a=2&b=3');
      p.append('c', 4); p.set('a', 'x'); p.delete('b');
      return [p.toString(), p.get('a'), p.get('zz'), p.getAll('c'), p.getAll('zz'), p.has('a'), p.has('b'), p.size];
    },
    'with a value': () => { const p = new URLSearchParams('a=1&a=2'); p.delete('a', '1'); return [p.toString(), p.has('a', '1'), p.has('a', '2')]; },
    'sort is stable': () => { const p = new URLSearchParams('z=1&b=2&a=3&b=1&😀=x&ﬃ=y'); p.sort(); return p.toString(); },
    forEach: () => { const out = []; new URLSearchParams('a=1&b=2').forEach(function (v, k, p) { out.push(v, k, p instanceof URLSearchParams, this.x); }, { x: 1 }); return out; },
    'forEach wants a function': () => new URLSearchParams('a').forEach(1),
    iterators: () => { const p = new URLSearchParams('a=1&b=2'); return [[...p.keys()], [...p.values()], [...p.entries()], Object.prototype.toString.call(p.keys()), p[Symbol.iterator] === p.entries]; },
    'changes while iterating': () => { const p = new URLSearchParams('a=1&b=2&c=3'); const out = []; for (const [k] of p) { out.push(k); p.delete('b'); } return out; },
    'writes through to the URL': () => { const u = new URL('http://a/?x=1'); u.searchParams.append('y', '2 3'); const one = u.href; u.search = '?z'; return [one, [...u.searchParams], u.searchParams === u.searchParams]; },
    'an empty one removes the mark': () => { const u = new URL('http://a/?x=1'); u.searchParams.delete('x'); return u.href; },
    'get wants a name': () => new URLSearchParams().get(),
    'append wants two': () => new URLSearchParams().append('a'),
    'another receiver': () => URLSearchParams.prototype.get.call({}, 'a'),
    'without new': () => URLSearchParams(),
  },
  fileURLToPath: each(url.fileURLToPath, ['file:///a/b', 'file:///a%20b/%C3%BC', new URL('file:///x?y#z'), 'file://host/x', 'http://a/b', 'file:///a%2Fb', 'file:///', 'x', undefined, {}, 1, 'file:///a%5Cb', 'file://localhost/x']),
  pathToFileURL: each((p) => url.pathToFileURL(p).href, ['/a/b', '/a b/ü', '/a%b?c#d', '/a\\b', '/\n\r\t', '/', '/a/', '/x/../y', undefined, 1, null]),
  domainToASCII: each(url.domainToASCII, ['español.com', '中文.com', 'xn--iñvalid.com', 'A.b', '', 'a b', '1.2.3', undefined, 'faß.de', 'xn--tda.de']),
  domainToUnicode: each(url.domainToUnicode, ['xn--espaol-zwa.com', 'xn--fiq228c.com', 'xn--iñvalid.com', 'A.b', '', 'ü.de', 'xn--a']),
  urlToHttpOptions: {
    ...each((s) => url.urlToHttpOptions(new URL(s)), ['https://a:b@測試.com:81/p?q=1#h', 'http://[::1]:80/', 'http://a%20b:c%3A@h/', 'file:///x']),
    ...each(url.urlToHttpOptions, [undefined, 'x', {}]),
  },
};
