//! `node.quotas` as written (CP-120, CP-152, CP-202).

use std::ops::RangeInclusive;

use crate::{
    ApiQuotas, Quota,
    cursor::{Block, Cursor},
    keys,
};

/// More of anything than a node could serve.
const MOST: u64 = 1_000_000;

/// What the API's model allows at most: bytes of a CloudFront Function's code, and of a key.
const MOST_CODE: u64 = 40_960;
const MOST_KEY: u64 = 1_024;
/// What a call may bring (CP-010).
const MOST_VALUE: u64 = 1 << 20;
/// What memory holds besides.
const MOST_STORE: u64 = 1 << 30;

/// The quotas that a site file gives, and the others as they are by default.
pub(super) fn read(cursor: &Cursor<'_>) -> ApiQuotas {
    let mut quotas = ApiQuotas::default();
    let Some(block) = Block::open(cursor, &keys::QUOTAS) else {
        return quotas;
    };
    for quota in Quota::all() {
        let given = block.get(quota.name());
        let given = given.and_then(|c| c.integer(0..=MOST, "a number of them"));
        if let Some(most) = given.and_then(|most| usize::try_from(most.value).ok()) {
            quotas.set(quota, most);
        }
    }
    let size = |key: &str, range: RangeInclusive<u64>| {
        let size = block.get(key).and_then(|c| c.size(range));
        size.and_then(|s| usize::try_from(s.value).ok())
    };
    let stores = &mut quotas.stores;
    for (quota, given) in [
        (
            &mut quotas.cloudfront_function_size,
            size("cloudfront_function_size", 1..=MOST_CODE),
        ),
        (&mut stores.total, size("store_size", 1..=MOST_STORE)),
        (&mut stores.key, size("store_key_size", 1..=MOST_KEY)),
        (&mut stores.value, size("store_value_size", 1..=MOST_VALUE)),
    ] {
        *quota = given.unwrap_or(*quota);
    }
    quotas
}
