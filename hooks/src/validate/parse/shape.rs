//! The visitors behind [`super::parse`]: one per place in a result, each taking any JSON type.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    HeaderFault, HeaderFaultKind, Kind, MAX_HEADER_LINES, Mistake, RawBody, RawElement, RawEntry,
    RawHeaders, RawKey, RawOrigin, RawOriginFields, RawResult, Scalar,
};

/// What to make of a JSON value of any type. Types not named become [`Shape::other`].
pub(super) trait Shape<'de>: Sized {
    type Out;

    fn other(self, kind: Kind) -> Self::Out;

    fn string(self, _: Cow<'de, str>) -> Self::Out {
        self.other(Kind::String)
    }

    fn integer(self, _: i64) -> Self::Out {
        self.other(Kind::Number)
    }

    fn float(self, _: f64) -> Self::Out {
        self.other(Kind::Number)
    }

    fn array<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Out, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.other(Kind::Array))
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.other(Kind::Object))
    }
}

/// Reads a value of any type into a [`Shape`].
pub(super) struct Any<S>(pub(super) S);

impl<'de, S: Shape<'de>> DeserializeSeed<'de> for Any<S> {
    type Value = S::Out;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<S::Out, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: Shape<'de>> Visitor<'de> for Any<S> {
    type Value = S::Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<S::Out, E> {
        Ok(self.0.other(Kind::Boolean))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<S::Out, E> {
        Ok(self.0.integer(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<S::Out, E> {
        Ok(match i64::try_from(v) {
            Ok(v) => self.0.integer(v),
            Err(_) => self.0.other(Kind::Number),
        })
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<S::Out, E> {
        Ok(self.0.float(v))
    }

    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<S::Out, E> {
        Ok(self.0.string(Cow::Borrowed(v)))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<S::Out, E> {
        Ok(self.0.string(Cow::Owned(v.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<S::Out, E> {
        Ok(self.0.other(Kind::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, a: A) -> Result<S::Out, A::Error> {
        self.0.array(a)
    }

    fn visit_map<A: MapAccess<'de>>(self, a: A) -> Result<S::Out, A::Error> {
        self.0.object(a)
    }
}

struct ScalarShape;

impl<'de> Shape<'de> for ScalarShape {
    type Out = Scalar<'de>;

    fn other(self, kind: Kind) -> Scalar<'de> {
        Scalar::Other(kind)
    }

    fn string(self, text: Cow<'de, str>) -> Scalar<'de> {
        Scalar::Text(text)
    }

    fn integer(self, v: i64) -> Scalar<'de> {
        Scalar::Integer(v)
    }

    fn float(self, v: f64) -> Scalar<'de> {
        Scalar::Float(v)
    }
}

/// An object's next key. Keys are always strings, so this reads what [`ScalarShape`] reads.
fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_key_seed(Any(ScalarShape))?.map(|k| match k {
        Scalar::Text(t) => t,
        other => Cow::Owned(other.shown()),
    }))
}

fn scalar<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Scalar<'de>>, A::Error> {
    map.next_value_seed(Any(ScalarShape)).map(Some)
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

pub(super) struct ResultShape;

impl<'de> Shape<'de> for ResultShape {
    type Out = Result<RawResult<'de>, Kind>;

    fn other(self, kind: Kind) -> Self::Out {
        Err(kind)
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut raw = RawResult::default();
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "status" => raw.status = scalar(&mut map)?,
                "statusDescription" => raw.status_description = scalar(&mut map)?,
                "method" => raw.method = scalar(&mut map)?,
                "clientIp" => raw.client_ip = scalar(&mut map)?,
                "uri" => raw.uri = scalar(&mut map)?,
                "querystring" => raw.querystring = scalar(&mut map)?,
                "headers" => raw.headers = Some(map.next_value_seed(Any(HeadersShape))?),
                "body" => raw.body = Some(map.next_value_seed(Any(BodyShape))?),
                "bodyEncoding" => raw.body_encoding = scalar(&mut map)?,
                "origin" => raw.origin = Some(map.next_value_seed(Any(OriginShape))?),
                other => {
                    match other {
                        "Records" | "config" => raw.mistake = Some(Mistake::Event),
                        "statusCode" => raw.mistake = Some(Mistake::StatusCode),
                        _ => {}
                    }
                    skip(&mut map)?;
                }
            }
        }
        Ok(Ok(raw))
    }
}

struct HeadersShape;

impl<'de> Shape<'de> for HeadersShape {
    type Out = Result<RawHeaders<'de>, Kind>;

    fn other(self, kind: Kind) -> Self::Out {
        Err(kind)
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut headers = RawHeaders {
            entries: Vec::with_capacity(16),
            elements: Vec::with_capacity(16),
            fault: None,
        };
        while let Some(name) = next_key(&mut map)? {
            let from = headers.elements.len();
            if from > MAX_HEADER_LINES || headers.entries.len() > MAX_HEADER_LINES {
                headers.fault.get_or_insert_with(|| HeaderFault {
                    name: String::new(),
                    what: HeaderFaultKind::TooMany,
                });
                skip(&mut map)?;
                continue;
            }
            let fault = map.next_value_seed(Any(EntryShape(&mut headers.elements)))?;
            if let Some(what) = fault {
                headers.fault.get_or_insert_with(|| HeaderFault {
                    name: name.clone().into_owned(),
                    what,
                });
            }
            headers.entries.push(RawEntry {
                name,
                elements: from..headers.elements.len(),
            });
        }
        Ok(Ok(headers))
    }
}

struct EntryShape<'v, 'de>(&'v mut Vec<RawElement<'de>>);

impl<'de> Shape<'de> for EntryShape<'_, 'de> {
    type Out = Option<HeaderFaultKind>;

    fn other(self, kind: Kind) -> Self::Out {
        Some(HeaderFaultKind::Entry(kind))
    }

    fn array<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Out, A::Error> {
        let mut fault = None;
        loop {
            if self.0.len() > MAX_HEADER_LINES {
                fault = fault.or(Some(HeaderFaultKind::TooMany));
                while array.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(fault);
            }
            match array.next_element_seed(Any(ElementShape(&mut *self.0)))? {
                Some(found) => fault = fault.or(found),
                None => return Ok(fault),
            }
        }
    }
}

struct ElementShape<'v, 'de>(&'v mut Vec<RawElement<'de>>);

impl<'de> Shape<'de> for ElementShape<'_, 'de> {
    type Out = Option<HeaderFaultKind>;

    fn other(self, kind: Kind) -> Self::Out {
        Some(HeaderFaultKind::Element(kind))
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut key = RawKey::Absent;
        let mut value = None;
        while let Some(name) = next_key(&mut map)? {
            match &*name {
                "key" => {
                    key = match map.next_value_seed(Any(ScalarShape))? {
                        Scalar::Text(t) => RawKey::Given(t),
                        Scalar::Other(Kind::Null) => RawKey::Absent,
                        _ => RawKey::Odd,
                    }
                }
                "value" => value = Some(map.next_value_seed(Any(ValueShape))?),
                _ => skip(&mut map)?,
            }
        }
        Ok(match value {
            None => Some(HeaderFaultKind::NoValue),
            Some(ElementValue::Bad(kind)) => Some(HeaderFaultKind::Value(kind)),
            Some(ElementValue::One(value)) => {
                self.0.push(RawElement { key, value });
                None
            }
            Some(ElementValue::Many(values)) => {
                // A name needs no JSON escapes. Copying an escaped key once per value would let a
                // small result ask for a lot of memory.
                let key = match key {
                    RawKey::Given(Cow::Owned(_)) => RawKey::Odd,
                    key => key,
                };
                self.0.extend(values.into_iter().map(|value| RawElement {
                    key: key.clone(),
                    value,
                }));
                None
            }
        })
    }
}

enum ElementValue<'de> {
    One(Cow<'de, str>),
    Many(Vec<Cow<'de, str>>),
    Bad(Kind),
}

struct ValueShape;

impl<'de> Shape<'de> for ValueShape {
    type Out = ElementValue<'de>;

    fn other(self, kind: Kind) -> Self::Out {
        ElementValue::Bad(kind)
    }

    fn string(self, text: Cow<'de, str>) -> Self::Out {
        ElementValue::One(text)
    }

    fn array<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Out, A::Error> {
        let mut values = Vec::new();
        let mut bad = None;
        while let Some(item) = array.next_element_seed(Any(ScalarShape))? {
            match item {
                Scalar::Text(t) if values.len() <= MAX_HEADER_LINES => values.push(t),
                Scalar::Text(_) => {}
                Scalar::Integer(_) | Scalar::Float(_) => bad = bad.or(Some(Kind::Number)),
                Scalar::Other(kind) => bad = bad.or(Some(kind)),
            }
        }
        Ok(bad.map_or(ElementValue::Many(values), ElementValue::Bad))
    }
}

struct BodyShape;

impl<'de> Shape<'de> for BodyShape {
    type Out = RawBody<'de>;

    fn other(self, kind: Kind) -> Self::Out {
        RawBody::Other(kind)
    }

    fn string(self, text: Cow<'de, str>) -> Self::Out {
        RawBody::Text(text)
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let (mut action, mut encoding, mut data) = (None, None, None);
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "action" => action = scalar(&mut map)?,
                "encoding" => encoding = scalar(&mut map)?,
                "data" => data = scalar(&mut map)?,
                // `inputTruncated` is read-only and never read back (LE-121).
                _ => skip(&mut map)?,
            }
        }
        Ok(RawBody::Object {
            action,
            encoding,
            data,
        })
    }
}

struct OriginShape;

impl<'de> Shape<'de> for OriginShape {
    type Out = Result<RawOrigin<'de>, Kind>;

    fn other(self, kind: Kind) -> Self::Out {
        Err(kind)
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut origin = RawOrigin::default();
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "custom" => origin.custom = Some(map.next_value_seed(Any(OriginFieldsShape))?),
                "s3" => origin.s3 = Some(map.next_value_seed(Any(OriginFieldsShape))?),
                _ => skip(&mut map)?,
            }
        }
        Ok(Ok(origin))
    }
}

struct OriginFieldsShape;

impl<'de> Shape<'de> for OriginFieldsShape {
    type Out = Result<RawOriginFields<'de>, Kind>;

    fn other(self, kind: Kind) -> Self::Out {
        Err(kind)
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut raw = RawOriginFields::default();
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "authMethod" => raw.auth_method = scalar(&mut map)?,
                "customHeaders" => {
                    raw.custom_headers = Some(map.next_value_seed(Any(HeadersShape))?);
                }
                "domainName" => raw.domain_name = scalar(&mut map)?,
                "keepaliveTimeout" => raw.keepalive_timeout = scalar(&mut map)?,
                "path" => raw.path = scalar(&mut map)?,
                "port" => raw.port = scalar(&mut map)?,
                "protocol" => raw.protocol = scalar(&mut map)?,
                "readTimeout" => raw.read_timeout = scalar(&mut map)?,
                "region" => raw.region = scalar(&mut map)?,
                "responseCompletionTimeout" => {
                    raw.response_completion_timeout = scalar(&mut map)?;
                }
                "sslProtocols" => {
                    raw.ssl_protocols = Some(map.next_value_seed(Any(ListShape))?);
                }
                _ => skip(&mut map)?,
            }
        }
        Ok(Ok(raw))
    }
}

struct ListShape;

impl<'de> Shape<'de> for ListShape {
    type Out = Result<Vec<Scalar<'de>>, Kind>;

    fn other(self, kind: Kind) -> Self::Out {
        Err(kind)
    }

    fn array<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Out, A::Error> {
        // There are four versions to name; a longer list only repeats them.
        const MOST: usize = 64;
        let mut items = Vec::new();
        while let Some(item) = array.next_element_seed(Any(ScalarShape))? {
            if items.len() < MOST {
                items.push(item);
            }
        }
        Ok(Ok(items))
    }
}
