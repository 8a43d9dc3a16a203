//! Small databases of countries in MaxMind's format, version 2.0, for tests.
//!
//! A database is a binary tree over the bits of addresses, a section of data behind 16 zero bytes, and a map of metadata
//! behind a marker. A record of a node is the number of the next node, the number of nodes for "nothing", or that number, 16
//! and an offset into the data together. Databases are trees over IPv6; IPv4 is at `::/96`.

use std::net::IpAddr;

/// A database in which these networks, as `192.0.2.0/24`, are in these countries. Later networks may be parts of earlier ones.
///
/// # Panics
/// When something is no network.
pub fn country_database(networks: &[(&str, &str)]) -> Vec<u8> {
    let country = |code: &str| map(&[("country", map(&[("iso_code", text(code))]))]);
    let networks: Vec<_> = networks
        .iter()
        .map(|(net, code)| (*net, country(code)))
        .collect();
    database("Test-Country", &networks)
}

/// What a database of cities knows of a network; an empty text or `None` is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// ISO 3166-1, two letters.
    pub country: &'static str,
    /// In English.
    pub country_name: &'static str,
    /// ISO 3166-2 without the country.
    pub region: &'static str,
    /// In English.
    pub region_name: &'static str,
    /// In English.
    pub city: &'static str,
    /// The postal code.
    pub postal_code: &'static str,
    /// By its name in the IANA's database.
    pub time_zone: &'static str,
    /// Degrees north and east.
    pub position: Option<(f64, f64)>,
    /// Of places in the US, mostly.
    pub metro_code: Option<u16>,
}

/// A database of cities. Region and city have names in several languages, and there is a second, smaller region.
///
/// # Panics
/// As [`country_database`].
pub fn city_database(networks: &[(&str, Place)]) -> Vec<u8> {
    let networks: Vec<_> = networks
        .iter()
        .map(|(net, place)| (*net, city(place)))
        .collect();
    database("Test-City", &networks)
}

fn city(place: &Place) -> Vec<u8> {
    let names = |name: &str| map(&[("de", text("?")), ("en", text(name)), ("fr", text("?"))]);
    let part = |code: &str, name: &str| {
        let mut members = Vec::new();
        if !code.is_empty() {
            members.push(("iso_code", text(code)));
        }
        if !name.is_empty() {
            members.push(("names", names(name)));
        }
        map(&members)
    };
    let mut location = Vec::new();
    if let Some((latitude, longitude)) = place.position {
        location.push(("latitude", double(latitude)));
        location.push(("longitude", double(longitude)));
    }
    if let Some(code) = place.metro_code {
        location.push(("metro_code", unsigned(5, code.into())));
    }
    if !place.time_zone.is_empty() {
        location.push(("time_zone", text(place.time_zone)));
    }
    let mut members = vec![
        ("country", part(place.country, place.country_name)),
        ("city", part("", place.city)),
        ("location", map(&location)),
    ];
    if !place.postal_code.is_empty() {
        members.push(("postal", map(&[("code", text(place.postal_code))])));
    }
    if !place.region.is_empty() {
        let mut regions = control(11, 2);
        regions.extend(part(place.region, place.region_name));
        regions.extend(part("X", "A smaller one"));
        members.push(("subdivisions", regions));
    }
    map(&members)
}

/// A database of the autonomous systems that networks are in.
///
/// # Panics
/// As [`country_database`].
pub fn asn_database(networks: &[(&str, u32)]) -> Vec<u8> {
    let number = |n: u32| map(&[("autonomous_system_number", unsigned(6, n.into()))]);
    let networks: Vec<_> = networks.iter().map(|(net, n)| (*net, number(*n))).collect();
    database("Test-ASN", &networks)
}

/// A database of another kind, which knows neither countries nor numbers.
///
/// # Panics
/// As [`country_database`].
pub fn other_database(network: &str) -> Vec<u8> {
    let owner = map(&[("autonomous_system_organization", text("nobody"))]);
    database("Test-ASN", &[(network, owner)])
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

fn database(kind: &str, networks: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut nodes = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (bits, length) = parse(network);
        let leaf = Record::Data(data.len());
        data.extend_from_slice(value);
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = leaf;
                break;
            }
            node = match nodes[node][side] {
                Record::Node(next) => next,
                // What the larger network has, both halves of it have.
                above => {
                    nodes.push([above; 2]);
                    nodes[node][side] = Record::Node(nodes.len() - 1);
                    nodes.len() - 1
                }
            };
        }
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Nothing => count,
            Record::Node(next) => *next,
            Record::Data(offset) => count + 16 + offset,
        };
        let bytes = u32::try_from(number)
            .expect("a small database")
            .to_be_bytes();
        file.extend_from_slice(&bytes[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let number = |value: usize| u64::try_from(value).unwrap_or_default();
    file.extend_from_slice(&map(&[
        ("binary_format_major_version", unsigned(5, 2)),
        ("binary_format_minor_version", unsigned(5, 0)),
        ("build_epoch", unsigned(9, 1_700_000_000)),
        ("database_type", text(kind)),
        ("description", map(&[])),
        ("ip_version", unsigned(5, 6)),
        ("languages", vec![0, 4]),
        ("node_count", unsigned(6, number(count))),
        ("record_size", unsigned(5, 24)),
    ]));
    file
}

/// The 128 bits of a network, and how many of them count.
fn parse(network: &str) -> (u128, u32) {
    let (address, prefix) = network.split_once('/').expect("an address and a prefix");
    let prefix: u32 = prefix.parse().expect("a number of bits");
    match address.parse().expect("an address") {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), prefix + 96),
        IpAddr::V6(v6) => (v6.to_bits(), prefix),
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut out = control(2, text.len());
    out.extend_from_slice(text.as_bytes());
    out
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = control(7, members.len());
    for (name, value) in members {
        out.extend_from_slice(&text(name));
        out.extend_from_slice(value);
    }
    out
}

fn double(value: f64) -> Vec<u8> {
    let mut out = control(3, 8);
    out.extend_from_slice(&value.to_be_bytes());
    out
}

/// Without zeros in front.
fn unsigned(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let digits = &bytes[value.leading_zeros() as usize / 8..];
    let mut out = control(kind, digits.len());
    out.extend_from_slice(digits);
    out
}

/// Kind and length; kinds from 8 on stand in a byte of their own, lengths from 29 on in the next one.
fn control(kind: u8, length: usize) -> Vec<u8> {
    let byte = |n: usize| u8::try_from(n).expect("a short value");
    let (short, more) = if length < 29 {
        (byte(length), None)
    } else {
        (29, Some(byte(length - 29)))
    };
    let mut out = match kind {
        0..8 => vec![kind << 5 | short],
        _ => vec![short, kind - 7],
    };
    out.extend(more);
    out
}
