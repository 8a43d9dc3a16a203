//! `node.resolver` as written: who is asked for the addresses of origins (CF-398).

use std::net::{IpAddr, SocketAddr};

use crate::{
    ResolverSettings,
    cursor::{Block, Cursor, shorten},
    keys,
};

/// Where name servers listen.
const PORT: u16 = 53;

pub(super) fn read(cursor: &Cursor<'_>) -> Option<ResolverSettings> {
    let block = Block::open(cursor, &keys::RESOLVER)?;
    let default = ResolverSettings::default();
    let seconds = |key: &str, default| {
        let given = block.get(key).and_then(|c| c.seconds(604_800));
        given.map_or(default, |g| g.value)
    };
    Some(ResolverSettings {
        servers: block.get("servers").and_then(servers),
        max_ttl: seconds("max_ttl", default.max_ttl),
        stale_ttl: seconds("stale_ttl", default.stale_ttl),
    })
}

fn servers(cursor: &Cursor<'_>) -> Option<Vec<SocketAddr>> {
    let items = cursor.items("a list of addresses, such as `[192.0.2.53]`")?;
    if items.is_empty() {
        cursor.error_help(
            "the list of name servers is empty",
            "leave `servers` out for those of the system".to_owned(),
        );
    }
    Some(items.iter().filter_map(server).collect())
}

fn server(cursor: &Cursor<'_>) -> Option<SocketAddr> {
    let text = cursor.text()?.value;
    let alone = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    let parsed = text.parse::<SocketAddr>().or_else(|_| alone());
    if parsed.is_err() {
        cursor.error_help(
            format!("`{}` is not the address of a name server", shorten(&text)),
            "write `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::53]:53`".to_owned(),
        );
    }
    parsed.ok()
}
