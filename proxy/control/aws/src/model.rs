//! What the tables are made of: services, operations, shapes (CP-440).

use std::sync::OnceLock;

use regex::Regex;

use crate::tables;

/// A service that the admin endpoint speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// CloudFront: distributions, policies, CloudFront Functions, management of key-value stores.
    CloudFront,
    /// Lambda.
    Lambda,
    /// The keys and values of key-value stores.
    KeyValueStore,
    /// STS, of which tools ask who they are.
    Sts,
    /// IAM, roles alone.
    Iam,
    /// CloudWatch Logs.
    Logs,
}

/// How a service writes requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Paths and XML.
    RestXml,
    /// Paths and JSON.
    RestJson,
    /// A form in, XML out.
    Query,
    /// JSON with the operation in `X-Amz-Target`.
    Json11,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 6] = [
        Self::CloudFront,
        Self::Lambda,
        Self::KeyValueStore,
        Self::Sts,
        Self::Iam,
        Self::Logs,
    ];

    /// The name in the scope of a signature.
    #[must_use]
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::CloudFront => "cloudfront",
            Self::Lambda => "lambda",
            Self::KeyValueStore => "cloudfront-keyvaluestore",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Logs => "logs",
        }
    }

    /// The service that signs with `name`.
    #[must_use]
    pub fn signed_as(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.signing_name() == name)
    }

    /// How the service writes.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::CloudFront => Protocol::RestXml,
            Self::Lambda | Self::KeyValueStore => Protocol::RestJson,
            Self::Sts | Self::Iam => Protocol::Query,
            Self::Logs => Protocol::Json11,
        }
    }

    /// The namespace of the service's XML, empty where it writes JSON.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::CloudFront => "http://cloudfront.amazonaws.com/doc/2020-05-31/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Lambda | Self::KeyValueStore | Self::Logs => "",
        }
    }

    /// The service's operations: those of tiers M and S, and where paths tell operations apart all others too.
    #[must_use]
    pub fn operations(self) -> &'static [Operation] {
        tables::operations(self)
    }

    /// An operation by its name.
    #[must_use]
    pub fn operation(self, name: &str) -> Option<&'static Operation> {
        self.operations()
            .iter()
            .find(|operation| operation.name == name)
    }

    /// The status that goes with a code in the service's model.
    #[must_use]
    pub fn status_of(self, code: &str) -> Option<u16> {
        let errors = tables::errors(self);
        let found = errors.binary_search_by(|(known, _)| (*known).cmp(code));
        found.ok().map(|index| errors[index].1)
    }
}

/// When an operation is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// From the first release on.
    Must,
    /// In the same major version.
    Should,
    /// Not yet: answered as known and not implemented (CP-016).
    Later,
}

/// An operation: how it is asked for, what goes in, what comes out.
#[derive(Debug)]
pub struct Operation {
    /// Whose it is.
    pub service: Service,
    /// Its name in the service's model.
    pub name: &'static str,
    /// Whether it is answered.
    pub tier: Tier,
    /// Method of the request.
    pub method: &'static str,
    /// Segments of the path.
    pub path: &'static [Segment],
    /// Pairs that the query of the request has to hold, for the operation to be this one.
    pub query: &'static [(&'static str, &'static str)],
    /// What goes in.
    pub input: Option<&'static Shape>,
    /// Name of the root element of the request, where it has an XML body.
    pub root: &'static str,
    /// What comes out.
    pub output: Option<&'static Shape>,
    /// The element around the result, in the query protocol.
    pub wrapper: Option<&'static str>,
    /// Status of success.
    pub code: u16,
    /// Codes of the errors that the model declares.
    pub errors: &'static [&'static str],
    /// How a list is cut into pages.
    pub pages: Option<Pages>,
}

/// What an operation of tier L has of an entry.
pub(crate) const LATER: Operation = Operation {
    service: Service::CloudFront,
    name: "",
    tier: Tier::Later,
    method: "",
    path: &[],
    query: &[],
    input: None,
    root: "",
    output: None,
    wrapper: None,
    code: 200,
    errors: &[],
    pages: None,
};

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.service == other.service && self.name == other.name
    }
}

impl Eq for Operation {}

impl Operation {
    /// Largest body that the operation takes, in bytes (CP-010). Above it the answer is 413.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        match (self.service, self.name) {
            // 50 MiB of zip as base64, and what stands around it.
            (Service::Lambda, "CreateFunction" | "UpdateFunctionCode") => 70_167_211,
            // What Lambda takes as an event.
            (Service::Lambda, "Invoke") => 6_291_556,
            (Service::KeyValueStore, "UpdateKeys") => 3 << 20,
            _ => 1 << 20,
        }
    }

    /// Where in the body the code of a function stands, which is taken out of it as it comes and not held in memory (CP-033).
    #[must_use]
    pub fn code_member(&self) -> Option<&'static [&'static str]> {
        match (self.service, self.name) {
            (Service::Lambda, "CreateFunction") => Some(&["Code", "ZipFile"]),
            (Service::Lambda, "UpdateFunctionCode") => Some(&["ZipFile"]),
            _ => None,
        }
    }

    /// Whether the operation makes something, so that a second attempt with the same invocation id is to get the answer
    /// of the first (CP-013).
    #[must_use]
    pub fn creates(&self) -> bool {
        self.method == "POST" && self.code == 201
    }
}

/// A part of an operation's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Stands as it is.
    Literal(&'static str),
    /// A parameter, by its name.
    Label(&'static str),
}

/// How a list is cut into pages (CP-044, CP-045, CP-046).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The member of the input that says where to go on.
    pub token: &'static str,
    /// The member of the input that says how many.
    pub limit: &'static str,
    /// The member of the output that says where the next page begins.
    pub next: &'static str,
    /// Whether the output repeats the token under `Marker`.
    pub echo: bool,
    /// Whether the output has `IsTruncated`.
    pub truncated: bool,
    /// How many without being told.
    pub default: usize,
    /// Most on a page.
    pub most: usize,
}

/// A shape of the model.
#[derive(Debug)]
pub struct Shape {
    /// Name in the model.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What a shape is. Bounds are inclusive; of texts they count characters.
#[derive(Debug)]
pub enum Kind {
    /// Members by name.
    Structure {
        /// The member that is the body by itself.
        payload: Option<&'static str>,
        /// Members, in the order they are written in.
        members: &'static [Member],
    },
    /// Items of one shape.
    List {
        /// Shape of an item.
        item: &'static Shape,
        /// Name of an item's element.
        element: &'static str,
        /// Whether items stand in the list's place without an element around them.
        flattened: bool,
        /// Fewest items.
        min: Option<u32>,
        /// Most items.
        max: Option<u32>,
    },
    /// Values by free names.
    Map {
        /// Shape of a name.
        key: &'static Shape,
        /// Shape of a value.
        value: &'static Shape,
        /// Fewest entries.
        min: Option<u32>,
        /// Most entries.
        max: Option<u32>,
    },
    /// Text.
    Text {
        /// The only values allowed, where there are any.
        values: &'static [&'static str],
        /// Fewest characters.
        min: Option<u32>,
        /// Most characters.
        max: Option<u32>,
        /// What the whole text has to match.
        pattern: Option<&'static Pattern>,
    },
    /// Bytes; base64 in values. How many they may be is left to those who store them, whose errors differ.
    Blob,
    /// Yes or no.
    Boolean,
    /// A whole number of up to 64 bits.
    Integer {
        /// Least.
        min: Option<i64>,
        /// Most.
        max: Option<i64>,
    },
    /// A number with a fraction.
    Decimal,
    /// A moment; ISO 8601 in values.
    Timestamp,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Name in the model, and in values.
    pub name: &'static str,
    /// Name on the wire.
    pub wire: &'static str,
    /// What it is.
    pub shape: &'static Shape,
    /// Whether it has to be there.
    pub required: bool,
    /// Where it travels.
    pub place: Place,
}

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body.
    Body,
    /// In the path.
    Uri,
    /// In a header.
    Header,
    /// In the query.
    Query,
    /// It is the status.
    Status,
}

/// A member that may be absent.
pub(crate) const fn may(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        wire: name,
        shape,
        required: false,
        place: Place::Body,
    }
}

/// A member that has to be there.
pub(crate) const fn need(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        required: true,
        ..may(name, shape)
    }
}

impl Member {
    pub(crate) const fn at(mut self, place: Place, wire: &'static str) -> Self {
        self.place = place;
        self.wire = wire;
        self
    }
}

impl Shape {
    /// Members, of a structure; nothing for all else.
    #[must_use]
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }

    /// A member by its name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members().iter().find(|member| member.name == name)
    }

    /// The member that is the body by itself.
    #[must_use]
    pub fn payload(&self) -> Option<&'static Member> {
        match self.kind {
            Kind::Structure {
                payload: Some(name),
                ..
            } => self.member(name),
            _ => None,
        }
    }
}

/// What a text has to match, compiled when first needed.
pub struct Pattern {
    text: &'static str,
    allowed: &'static str,
    refused: Option<&'static str>,
    compiled: OnceLock<Option<(Regex, Option<Regex>)>>,
}

impl Pattern {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self {
            text,
            allowed: text,
            refused: None,
            compiled: OnceLock::new(),
        }
    }

    /// A pattern that looks around: what it allows, and what of that it does not.
    pub(crate) const fn but(
        text: &'static str,
        allowed: &'static str,
        refused: &'static str,
    ) -> Self {
        Self {
            text,
            allowed,
            refused: Some(refused),
            compiled: OnceLock::new(),
        }
    }

    /// As the model writes it, for messages.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    fn compiled(&self) -> Option<&(Regex, Option<Regex>)> {
        let whole = |pattern: &str| Regex::new(&format!(r"\A(?s:{pattern})\z")).ok();
        self.compiled
            .get_or_init(|| {
                let refused = match self.refused {
                    Some(refused) => Some(whole(refused)?),
                    None => None,
                };
                Some((whole(self.allowed)?, refused))
            })
            .as_ref()
    }

    /// Whether all of `text` matches. A pattern that does not compile matches nothing; a test holds that none is so.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.compiled().is_some_and(|(allowed, refused)| {
            allowed.is_match(text) && !refused.as_ref().is_some_and(|not| not.is_match(text))
        })
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Pattern({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(shape: &'static Shape, depth: usize, found: &mut Vec<&'static Pattern>) {
        if depth == 0 {
            return;
        }
        match &shape.kind {
            Kind::Structure { members, .. } => {
                for member in *members {
                    patterns(member.shape, depth - 1, found);
                }
            }
            Kind::List { item, .. } => patterns(item, depth - 1, found),
            Kind::Map { key, value, .. } => {
                patterns(key, depth - 1, found);
                patterns(value, depth - 1, found);
            }
            Kind::Text {
                pattern: Some(pattern),
                ..
            } => found.push(pattern),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_compiles() {
        // CP-440: a pattern that cannot be compiled would refuse every value.
        let mut found = Vec::new();
        for service in Service::ALL {
            for operation in service.operations() {
                for shape in [operation.input, operation.output].into_iter().flatten() {
                    patterns(shape, 12, &mut found);
                }
            }
        }
        assert!(found.len() > 100);
        for pattern in found {
            assert!(pattern.compiled().is_some(), "{}", pattern.text());
        }
    }

    #[test]
    fn patterns_that_look_around_refuse_what_they_should() {
        // CP-440: what looks around in the model is told in two patterns here.
        let alias = Service::Lambda
            .operation("CreateAlias")
            .and_then(|operation| operation.input)
            .and_then(|input| input.member("Name"))
            .map(|member| &member.shape.kind);
        let Some(Kind::Text {
            pattern: Some(pattern),
            ..
        }) = alias
        else {
            panic!("the name of an alias has a pattern");
        };
        assert!(pattern.matches("live") && pattern.matches("v2"));
        assert!(!pattern.matches("2") && !pattern.matches("a b") && !pattern.matches(""));
    }

    // Section 3.1's tally of the rules, and those of 2.1, 4 and 5.
    #[test]
    fn tiers_hold_as_many_operations_as_the_rules_count() {
        let count = |service: Service, tier| {
            let of_tier = |operation: &&Operation| operation.tier == tier;
            service.operations().iter().filter(of_tier).count()
        };
        let counted = Service::ALL.map(|service| {
            (
                service.signing_name(),
                count(service, Tier::Must),
                count(service, Tier::Should),
            )
        });
        assert_eq!(
            counted,
            [
                ("cloudfront", 50, 26),
                ("lambda", 17, 9),
                ("cloudfront-keyvaluestore", 6, 0),
                ("sts", 1, 0),
                ("iam", 0, 15),
                ("logs", 0, 8),
            ]
        );
    }

    #[test]
    fn bodies_are_as_large_as_the_operation_needs() {
        // CP-010.
        let limit = |service: Service, name| service.operation(name).map(Operation::body_limit);
        assert_eq!(limit(Service::Lambda, "CreateFunction"), Some(70_167_211));
        assert_eq!(limit(Service::KeyValueStore, "UpdateKeys"), Some(3_145_728));
        assert_eq!(
            limit(Service::CloudFront, "CreateDistribution"),
            Some(1_048_576)
        );
    }

    // The table that codes are looked up in by halves.
    #[test]
    fn codes_of_errors_are_in_order() {
        for service in Service::ALL {
            let errors = tables::errors(service);
            assert!(errors.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        assert_eq!(
            Service::CloudFront.status_of("NoSuchDistribution"),
            Some(404)
        );
        assert_eq!(Service::CloudFront.status_of("Nothing"), None);
    }
}
