//! Two verifiers that know nothing of each other agree on any request (CP-703).

use super::{KEYS, NOW, STRANGER, admit, drawn::draw, gate, naive, time, vectors};
use crate::{AuthMode, Service};
use proptest::prelude::*;

#[test]
fn the_second_verifier_accepts_what_real_clients_sent() {
    // CP-703: the naive one also accepts what real clients sent, so that agreeing with it means something
    for vector in vectors() {
        // A `Date` in words is the first verifier's business.
        if vector.name != "botocore-native-date" {
            let good = naive::accepts(&vector.request, &KEYS, vector.service.scope(), NOW);
            assert!(good, "{}", vector.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_verifiers_say_the_same(data in proptest::collection::vec(any::<u8>(), 0..120)) {
        // CP-410..418, CP-703
        for service in [Service::CloudFront, Service::KeyValueStore] {
            let drawn = draw(&data, &KEYS, service.scope(), NOW);
            let one = admit(&gate(AuthMode::SigV4), &drawn.request, service, STRANGER, time(drawn.now));
            let other = naive::accepts(&drawn.request, &KEYS, service.scope(), drawn.now);
            prop_assert_eq!(one.is_ok(), other, "{:?} {:?}", one, drawn);
            prop_assert!(other || !drawn.untouched, "{:?}", drawn);
        }
    }
}
