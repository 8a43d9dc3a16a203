//! What is written reads the same: documents made up from the model's shapes, with members that nobody knows
//! (CP-020..023, CP-025, CP-026, CP-705).

use fourfront_aws::{Kind, Reply, Service, Shape, decode, encode, normal, quantities, route};
use http::HeaderMap;
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Number, Value, json};

/// The operation that reads a document, the one that writes it, the path it is written to.
const PAIRS: [(&str, &str, &str); 9] = [
    (
        "GetDistributionConfig",
        "UpdateDistribution",
        "/2020-05-31/distribution/E1/config",
    ),
    (
        "GetCachePolicyConfig",
        "UpdateCachePolicy",
        "/2020-05-31/cache-policy/p",
    ),
    (
        "GetOriginRequestPolicyConfig",
        "UpdateOriginRequestPolicy",
        "/2020-05-31/origin-request-policy/p",
    ),
    (
        "GetResponseHeadersPolicyConfig",
        "UpdateResponseHeadersPolicy",
        "/2020-05-31/response-headers-policy/p",
    ),
    (
        "GetOriginAccessControlConfig",
        "UpdateOriginAccessControl",
        "/2020-05-31/origin-access-control/E1/config",
    ),
    (
        "GetPublicKeyConfig",
        "UpdatePublicKey",
        "/2020-05-31/public-key/K1/config",
    ),
    (
        "GetKeyGroupConfig",
        "UpdateKeyGroup",
        "/2020-05-31/key-group/g",
    ),
    (
        "GetContinuousDeploymentPolicyConfig",
        "UpdateContinuousDeploymentPolicy",
        "/2020-05-31/continuous-deployment-policy/p",
    ),
    (
        "GetCloudFrontOriginAccessIdentityConfig",
        "UpdateCloudFrontOriginAccessIdentity",
        "/2020-05-31/origin-access-identity/cloudfront/E1/config",
    ),
];

/// Texts for patterns, of which one fits each.
const FITTING: [&str; 4] = [
    "us-east-1",
    "arn:aws:cloudfront::000000000000:function/rewrite",
    "arn:aws:cloudfront::000000000000:key-value-store/8e1a4c5e-0000-4000-8000-000000000001",
    "arn:aws:lambda:us-east-1:000000000000:function:edge:1",
];

fn texts() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 <>&\"'/*?=\r\n\té漢😀-]{0,12}"
}

/// Members of newer models: texts and what holds them.
fn newer() -> impl Strategy<Value = Value> {
    let leaf = texts().prop_map(Value::from);
    leaf.prop_recursive(3, 8, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 2..4).prop_map(Value::Array);
        // A list is written as its items one after another, so that one within another would be one.
        let list = list.prop_filter("flat", |list| {
            list.as_array()
                .is_some_and(|items| items.iter().all(|item| !item.is_array()))
        });
        let value = prop_oneof![inner, list];
        proptest::collection::btree_map("New[A-Z][a-z]{1,4}", value, 1..3)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    })
}

fn values(shape: &'static Shape) -> BoxedStrategy<Value> {
    match &shape.kind {
        Kind::Structure { members, .. } => {
            let mut made: BoxedStrategy<Map<String, Value>> = prop_oneof![
                9 => Just(Map::new()),
                1 => newer().prop_map(|value| Map::from_iter([("NewerMember".to_owned(), value)])),
            ]
            .boxed();
            for member in *members {
                let value = values(member.shape);
                let value = if member.required {
                    value.prop_map(Some).boxed()
                } else {
                    proptest::option::of(value).boxed()
                };
                made = (made, value)
                    .prop_map(|(mut made, value)| {
                        if let Some(value) = value {
                            made.insert(member.name.to_owned(), value);
                        }
                        made
                    })
                    .boxed();
            }
            made.prop_map(|mut made| {
                if made.contains_key("Quantity") {
                    let items = made
                        .get("Items")
                        .and_then(Value::as_array)
                        .map_or(0, Vec::len);
                    made.insert("Quantity".into(), json!(items));
                }
                Value::Object(made)
            })
            .boxed()
        }
        Kind::List { item, min, max, .. } => {
            let (min, max) = (min.unwrap_or(0) as usize, max.unwrap_or(u32::MAX) as usize);
            proptest::collection::vec(values(item), min..=max.min(min + 2))
                .prop_map(Value::Array)
                .boxed()
        }
        Kind::Text {
            values,
            pattern: Some(pattern),
            ..
        } => {
            assert!(values.is_empty());
            let fitting: Vec<&str> = FITTING
                .into_iter()
                .filter(|text| pattern.matches(text))
                .collect();
            // Of no shape in these documents is there a pattern that nothing here fits, or this says which.
            assert!(
                !fitting.is_empty() || pattern.matches("a"),
                "{}",
                pattern.text()
            );
            let fitting = if fitting.is_empty() {
                vec!["a"]
            } else {
                fitting
            };
            select(fitting).prop_map(Value::from).boxed()
        }
        Kind::Text {
            values, min, max, ..
        } => {
            if !values.is_empty() {
                return select(*values).prop_map(Value::from).boxed();
            }
            let (min, max) = (min.unwrap_or(0), max.unwrap_or(u32::MAX) as usize);
            texts()
                .prop_map(move |text| {
                    let padded = format!("{text}{}", "x".repeat(min as usize));
                    Value::String(padded.chars().take(max).collect())
                })
                .boxed()
        }
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Integer { min, max } => (min.unwrap_or(i64::MIN)..=max.unwrap_or(i64::MAX))
            .prop_map(Value::from)
            .boxed(),
        Kind::Decimal => (-1.0e9..1.0e9_f64)
            .prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number))
            .boxed(),
        Kind::Blob | Kind::Timestamp | Kind::Map { .. } => {
            unreachable!("no configuration has one")
        }
    }
}

fn documents() -> impl Strategy<Value = (usize, Value)> {
    (0..PAIRS.len()).prop_flat_map(|index| {
        let operation = Service::CloudFront
            .operation(PAIRS[index].0)
            .expect("an operation");
        let payload = operation
            .output
            .and_then(Shape::payload)
            .expect("a document");
        (Just(index), values(payload.shape))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_return((index, document) in documents()) {
        // CP-020..023, CP-025, CP-026: a document that is read and written back is the same document, members of newer models
        // with it.
        let (get, put, path) = PAIRS[index];
        let get = Service::CloudFront.operation(get).expect("an operation");
        let payload = get.output.and_then(Shape::payload).expect("a document");
        let output = json!({payload.name: document, "ETag": "E1ABCDEFGHIJKL"});
        let reply = Reply { request_id: "r", namespace: None };
        let answer = encode(get, &reply, &output).expect("an answer");
        let routed = route(Service::CloudFront, "PUT", path, "").expect("an operation");
        prop_assert_eq!(routed.operation.name, put);
        let decoded = decode(&routed, &HeaderMap::new(), &answer.body).expect("as written");
        prop_assert_eq!(&decoded.input[payload.name], &document);
        prop_assert_eq!(decoded.unknown.is_empty(), !document.to_string().contains("\"NewerMember\""));
    }

    #[test]
    fn normal_forms_are_documents((index, document) in documents()) {
        // CP-112: the normal form keeps the quantities even, and keeps to the model.
        let (get, _, _) = PAIRS[index];
        let get = Service::CloudFront.operation(get).expect("an operation");
        let shape = get.output.and_then(Shape::payload).expect("a document").shape;
        let mut formed = document.clone();
        if index == 0 {
            normal::distribution(&mut formed);
        } else {
            normal::policy(shape.name, &mut formed);
        }
        prop_assert_eq!(quantities(shape, &formed), Ok(()));
        let mut read = formed.clone();
        fourfront_aws::document(Service::CloudFront, shape, &mut read).expect("a document of the model");
        prop_assert_eq!(&read, &formed);
        for (name, value) in document.as_object().expect("an object") {
            if !value.is_object() && !value.is_null() {
                prop_assert_eq!(&formed[name], value);
            }
        }
    }
}
