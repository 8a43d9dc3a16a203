//! An address of one's own, so that examples which all listen on the same ports can be run at once.

use std::net::{Ipv4Addr, TcpListener};

/// The address that examples are written with.
pub(crate) const WRITTEN: &str = "127.0.0.1";

/// A port that no example uses: who listens on it has the address.
const CLAIM: u16 = 9399;

/// A loopback address that no other test has, until it is dropped.
///
/// All of 127.0.0.0/8 is this machine. Those taken here are as long as the one that is written, so that lengths of what
/// names them are those that are shown.
pub(crate) struct OwnAddress {
    address: Ipv4Addr,
    _claim: TcpListener,
}

impl OwnAddress {
    /// Takes one that is free, beginning at a place that depends on the process.
    pub(crate) fn claim() -> Self {
        let all = (0..COUNT).map(|n| candidate(std::process::id().wrapping_add(n)));
        let mut free = all.filter_map(|address| {
            let claim = TcpListener::bind((address, CLAIM)).ok()?;
            Some(Self {
                address,
                _claim: claim,
            })
        });
        free.next()
            .unwrap_or_else(|| panic!("port {CLAIM} is taken on all loopback addresses"))
    }

    /// A text of an example with this address in the place of the written one.
    pub(crate) fn put_into(&self, text: &str) -> String {
        text.replace(WRITTEN, &self.address.to_string())
    }
}

impl std::fmt::Display for OwnAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(f)
    }
}

/// How many candidates there are.
const COUNT: u32 = 9 * 9 * 9;

/// One of the addresses `127.a.b.c` with digits from 1 to 9.
fn candidate(n: u32) -> Ipv4Addr {
    let digit = |n: u32| u8::try_from(n % 9 + 1).unwrap_or(1);
    Ipv4Addr::new(127, digit(n / 81), digit(n / 9), digit(n))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn candidates_differ_and_are_as_long_as_what_is_written() {
        let all: BTreeSet<_> = (0..COUNT).map(|n| candidate(n).to_string()).collect();
        assert_eq!(all.len(), 729);
        assert!(all.iter().all(|a| a.len() == WRITTEN.len()), "{all:?}");
    }

    #[test]
    fn each_has_its_own() {
        let (one, other) = (OwnAddress::claim(), OwnAddress::claim());
        assert_ne!(one.address, other.address);
        let text = one.put_into("http://127.0.0.1:8080, 127.0.0.1");
        assert_eq!(text, format!("http://{one}:8080, {one}"));
    }
}
