// Writes geo/countries.mmdb: a tiny database in MaxMind's format that knows the three networks which RFC 5737 keeps for
// documentation. For a real site take one of those that are offered, such as GeoLite2 Country.
import { writeFileSync } from 'node:fs';

const NETWORKS = [
  ['192.0.2.0', 24, 'DE'],
  ['198.51.100.0', 24, 'US'],
  ['203.0.113.0', 24, 'JP'],
];

// A field of the format: kind and length in one byte, or in two where the kind is above 7. All lengths here are below 29.
const field = (kind, bytes) =>
  Buffer.concat([Buffer.from(kind < 8 ? [(kind << 5) | bytes.length] : [bytes.length, kind - 7]), bytes]);
const text = (value) => field(2, Buffer.from(value));
const number = (kind, value) => field(kind, Buffer.from(value === 0 ? [] : bytesOf(value)));
const map = (members) =>
  Buffer.concat([Buffer.from([(7 << 5) | members.length]), ...members.flatMap(([key, value]) => [text(key), value])]);
const bytesOf = (value) => {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
};

// A binary tree over the bits of IPv6 addresses, in which IPv4 is ::/96. A leaf is the place of its data.
const tree = [[null, null]];
let data = Buffer.alloc(0);
for (const [address, length, country] of NETWORKS) {
  const v4 = address.split('.').reduce((all, part) => all * 256n + BigInt(part), 0n);
  const bits = v4.toString(2).padStart(128, '0').slice(0, 96 + length);
  let node = 0;
  for (const bit of bits.slice(0, -1)) {
    if (tree[node][bit] === null) {
      tree[node][bit] = { node: tree.push([null, null]) - 1 };
    }
    node = tree[node][bit].node;
  }
  tree[node][bits.at(-1)] = { data: data.length };
  data = Buffer.concat([data, map([['country', map([['iso_code', text(country)]])]])]);
}

// Records of 24 bits: a node, nothing (the number of nodes), or data (which begins after 16 zeros).
const records = tree.flat().map((to) => {
  const value = to === null ? tree.length : (to.node ?? tree.length + 16 + to.data);
  return Buffer.from([value >> 16, (value >> 8) & 255, value & 255]);
});
const metadata = map([
  ['binary_format_major_version', number(5, 2)],
  ['binary_format_minor_version', number(5, 0)],
  ['build_epoch', number(9, 1_700_000_000)],
  ['database_type', text('Example-Country')],
  ['description', map([])],
  ['ip_version', number(5, 6)],
  ['languages', Buffer.from([0, 4])],
  ['node_count', number(6, tree.length)],
  ['record_size', number(5, 24)],
]);
const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
writeFileSync(
  new URL('geo/countries.mmdb', import.meta.url),
  Buffer.concat([...records, Buffer.alloc(16), data, marker, metadata]),
);
