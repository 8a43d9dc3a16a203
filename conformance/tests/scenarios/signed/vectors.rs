//! URLs and cookies that the public signers made: `conformance/signed/vectors.json`.

use std::{collections::BTreeMap, sync::LazyLock};

use fourfront_conformance::{Answer, Edge, Request, Running};
use serde_json::Value;

static FILE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../signed/vectors.json")).expect("a JSON document")
});

/// Id and PEM of a key: `rsa` and `ecdsa`, which sign for `/private/*`, `elsewhere` and `stranger`.
pub(crate) fn key(name: &str) -> (&'static str, &'static str) {
    let key = &FILE["keys"][name];
    (text(&key["id"]), text(&key["pem"]))
}

/// Public keys that no node takes, by their kind.
pub(crate) fn no_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let keys = FILE["not_keys"].as_object().expect("an object");
    keys.iter().map(|(name, pem)| (name.as_str(), text(pem)))
}

fn text(value: &'static Value) -> &'static str {
    value.as_str().expect("a text")
}

/// A request as a viewer sends it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// `https` where it is signed for that, and the host that it is signed for, where that is not the usual one.
    pub(crate) signed_for: (&'static str, &'static str),
}

impl Ask {
    /// A GET without a signature.
    pub(crate) fn plain(target: &str) -> Self {
        Self {
            method: "GET",
            target: target.to_owned(),
            headers: Vec::new(),
            signed_for: ("http", "viewer.test"),
        }
    }

    /// A vector.
    #[track_caller]
    pub(crate) fn of(name: &str) -> Self {
        all()
            .remove(name)
            .unwrap_or_else(|| panic!("no vector `{name}`"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a text in the target, or else in the cookies, replaced; it must be there.
    #[track_caller]
    pub(crate) fn with(mut self, from: &str, to: &str) -> Self {
        let Some(place) = self.place(from) else {
            panic!("no `{from}` in {self:?}");
        };
        *place = place.replacen(from, to, 1);
        self
    }

    fn place(&mut self, text: &str) -> Option<&mut String> {
        if self.target.contains(text) {
            return Some(&mut self.target);
        }
        let fields = self.headers.iter_mut().map(|(_, value)| value);
        fields.into_iter().find(|value| value.contains(text))
    }

    /// What stands between the end of `name=` and the next `&` or `;`.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        let start = format!("{name}=");
        let all = std::iter::once(&self.target).chain(self.headers.iter().map(|(_, v)| v));
        let found = all.into_iter().find_map(|text| {
            let at = text.find(&start)? + start.len();
            text[at..].split(['&', ';']).next().map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    /// With another value of that name.
    #[track_caller]
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        let old = self.value(name);
        self.with(&format!("{name}={old}"), &format!("{name}={value}"))
    }

    /// Without that parameter of the query.
    #[track_caller]
    pub(crate) fn without(mut self, name: &str) -> Self {
        let (path, query) = self.target.split_once('?').expect("a query");
        let kept: Vec<_> = query
            .split('&')
            .filter(|p| p.split('=').next() != Some(name))
            .collect();
        assert_ne!(
            kept.len(),
            query.split('&').count(),
            "no `{name}` in {self:?}"
        );
        self.target = match kept.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", kept.join("&")),
        };
        self
    }

    pub(crate) fn request(&self, edge: &Running) -> Request {
        let request = edge.request(self.method, &self.target);
        let fields = self.headers.iter();
        fields.fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    pub(crate) async fn send(&self, edge: &Running) -> Answer {
        self.request(edge).send().await
    }
}

/// All vectors by name.
pub(crate) fn all() -> BTreeMap<&'static str, Ask> {
    let signed = FILE["signed"].as_object().expect("an object");
    let ask = |vector: &'static Value| {
        let mut ask = Ask::plain(text(&vector["target"]));
        if let Some(cookie) = vector.get("cookie") {
            ask = ask.header("Cookie", text(cookie));
        }
        if let Some(scheme) = vector.get("scheme") {
            ask.signed_for = (text(scheme), text(&vector["host"]));
        }
        ask
    };
    signed
        .iter()
        .map(|(name, vector)| (name.as_str(), ask(vector)))
        .collect()
}

/// A node whose `/private/*` trusts the keys `rsa` and `ecdsa`, and `/elsewhere/*` the key `elsewhere`. `settings` are further
/// ones of the former, as `compress: false`.
pub(crate) fn edge(settings: &str) -> Edge {
    let names = ["rsa", "ecdsa", "elsewhere"];
    let keys = names.map(|name| format!("{name}: {{ id: {}, file: {name}.pem }}", key(name).0));
    let comma = if settings.is_empty() { "" } else { ", " };
    let edge = Edge::new()
        .top(&format!("public_keys: {{ {} }}", keys.join(", ")))
        .top("key_groups: { viewers: [rsa, ecdsa], others: [elsewhere] }")
        .path(
            "/private/*",
            &format!("origin: origin, trusted_key_groups: [viewers]{comma}{settings}"),
        )
        .path(
            "/elsewhere/*",
            "origin: origin, trusted_key_groups: [others]",
        );
    for name in names {
        edge.write(&format!("{name}.pem"), key(name).1);
    }
    edge
}
