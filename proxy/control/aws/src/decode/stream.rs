//! Bodies with a function's code in them: the code is decoded from base64 as it is read and handed on, so that of a body of
//! seventy million bytes nothing but its small rest is held in memory (CP-033).

use std::io::{self, Read, Write};

use base64::{engine::general_purpose::STANDARD, read::DecoderReader};
use http::HeaderMap;
use serde_json::{Map, Value};
use struson::reader::{JsonReader as _, JsonStreamReader, ReaderError, ValueType};

use super::{Decoded, Malformed, Walk, finish, json};
use crate::{
    body::BodyError,
    error::{ApiError, Condition},
    model::Service,
    route::Routed,
};

/// Most bytes of texts beside the code: what any other operation's body may have (CP-010).
const MOST_TEXT: usize = 1 << 20;
/// Bytes of code that are decoded and handed on at once.
const CHUNK: usize = 64 << 10;

/// Why a body with code in it is not read.
#[derive(Debug, thiserror::Error)]
pub enum CodeFault {
    /// The request is at fault; this is the answer.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The code could not be handed on.
    #[error("the code cannot be kept: {0}")]
    Kept(#[source] io::Error),
    /// What the coding of the body says is not so, or it is longer than it may be.
    #[error(transparent)]
    Body(BodyError),
}

/// Reads a request of an operation that has a [`code_member`](crate::Operation::code_member), whose body is `body`, unpacked.
/// The code is written to `code`, and is empty in the input; whether there was any is the second of what is returned.
///
/// # Errors
/// As [`decode`](super::decode()); what `code` does not take.
pub fn decode_code(
    routed: &Routed,
    headers: &HeaderMap,
    body: impl Read,
    code: &mut dyn Write,
) -> Result<(Decoded, bool), CodeFault> {
    let operation = routed.operation;
    let service = operation.service;
    let (Some(shape), Some(member)) = (operation.input, operation.code_member()) else {
        let message = format!("{} takes no code", operation.name);
        return Err(ApiError::common(service, Condition::MalformedBody, message).into());
    };
    let mut body = body;
    let mut first = [0];
    let any = body
        .read(&mut first)
        .map_err(|e| Unread::Io(e).told(service))?;
    if any == 0 {
        // None at all is an empty one.
        let namespace = routed.namespace.clone();
        let decoded = finish(
            routed,
            shape,
            headers,
            Walk::default(),
            namespace,
            Ok(Map::new()),
        )?;
        return Ok((decoded, false));
    }
    let body = io::Cursor::new(first).chain(body);
    let mut reading = Reading {
        json: JsonStreamReader::new(body),
        code,
        is_lifted: false,
        parts: 0,
        text: 0,
    };
    let read = reading.value(Some(member), member);
    let is_lifted = reading.is_lifted;
    let read = read.and_then(|read| {
        reading.json.consume_trailing_whitespace()?;
        Ok(read)
    });
    let read = read.map_err(|e| e.told(service))?;
    let mut walk = Walk::default();
    let input = match json::value(shape, read, &mut walk) {
        Ok(Value::Object(input)) => Ok(input),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(walk.wrong("not an object")),
        Err(e) => Err(e),
    };
    let namespace = routed.namespace.clone();
    let decoded = finish(routed, shape, headers, walk, namespace, input)?;
    Ok((decoded, is_lifted))
}

/// A body while it is read.
struct Reading<'w, R: Read> {
    json: JsonStreamReader<R>,
    code: &'w mut dyn Write,
    is_lifted: bool,
    parts: usize,
    text: usize,
}

enum Unread {
    Json(ReaderError),
    Io(io::Error),
    Parts,
    Text,
    NotCode(String, &'static str),
    Kept(io::Error),
}

impl From<ReaderError> for Unread {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::IoError { error, .. } => Self::Io(error),
            error => Self::Json(error),
        }
    }
}

impl Unread {
    fn told(self, service: Service) -> CodeFault {
        let malformed = |message: String| {
            let message = format!("Could not parse request body into json: {message}");
            ApiError::common(service, Condition::MalformedBody, message).into()
        };
        match self {
            Self::Kept(error) => CodeFault::Kept(error),
            Self::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
                Some(fault) => CodeFault::Body(*fault),
                None => malformed(error.to_string()),
            },
            Self::Json(error) => malformed(error.to_string()),
            Self::Parts => {
                let message = Malformed::JsonParts.to_string();
                ApiError::common(service, Condition::MalformedBody, message).into()
            }
            Self::Text => {
                let message = format!("the texts beside the code have more than {MOST_TEXT} bytes");
                ApiError::common(service, Condition::TooLarge, message).into()
            }
            Self::NotCode(path, what) => {
                let message = format!("{path}: {what}");
                ApiError::common(service, Condition::MalformedBody, message).into()
            }
        }
    }
}

impl<R: Read> Reading<'_, R> {
    /// The next value. `rest` is what of the path to the code, `member`, is still to go, if it is on that path.
    fn value(&mut self, rest: Option<&[&str]>, member: &[&str]) -> Result<Value, Unread> {
        Ok(match self.json.peek()? {
            ValueType::Object => {
                self.part()?;
                self.json.begin_object()?;
                let mut object = Map::new();
                while self.json.has_next()? {
                    self.part()?;
                    let name = self.json.next_name_owned()?;
                    self.weigh(name.len())?;
                    let below = rest.and_then(|rest| {
                        let (next, rest) = rest.split_first()?;
                        (*next == name).then_some(rest)
                    });
                    let value = self.value(below, member)?;
                    object.insert(name, value);
                }
                self.json.end_object()?;
                Value::Object(object)
            }
            ValueType::Array => {
                self.part()?;
                self.json.begin_array()?;
                let mut array = Vec::new();
                while self.json.has_next()? {
                    self.part()?;
                    array.push(self.value(None, member)?);
                }
                self.json.end_array()?;
                Value::Array(array)
            }
            ValueType::String if rest.is_some_and(<[_]>::is_empty) => {
                self.lift(&member.join("."))?;
                Value::String(String::new())
            }
            ValueType::String => {
                let most = u64::try_from(MOST_TEXT - self.text).unwrap_or_default();
                let mut text = String::new();
                let reader = self.json.next_string_reader()?;
                let read = reader.take(most + 1).read_to_string(&mut text);
                read.map_err(Unread::Io)?;
                self.weigh(text.len())?;
                Value::String(text)
            }
            ValueType::Number => {
                let number = self.json.next_number_as_string()?;
                serde_json::from_str(&number).map_err(|e| Unread::Io(e.into()))?
            }
            ValueType::Boolean => Value::Bool(self.json.next_bool()?),
            ValueType::Null => {
                self.json.next_null()?;
                Value::Null
            }
        })
    }

    /// Counts as [`json::MAX_PARTS`] does.
    fn part(&mut self) -> Result<(), Unread> {
        self.parts += 1;
        match self.parts > json::MAX_PARTS {
            true => Err(Unread::Parts),
            false => Ok(()),
        }
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), Unread> {
        self.text += bytes;
        match self.text > MOST_TEXT {
            true => Err(Unread::Text),
            false => Ok(()),
        }
    }

    /// Hands the text that comes next on as the bytes it stands for.
    fn lift(&mut self, path: &str) -> Result<(), Unread> {
        if self.is_lifted {
            return Err(Unread::NotCode(path.to_owned(), "is there twice"));
        }
        self.is_lifted = true;
        let text = self.json.next_string_reader()?;
        let mut bytes = DecoderReader::new(io::BufReader::with_capacity(CHUNK, text), &STANDARD);
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match bytes.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err(Unread::NotCode(path.to_owned(), "not base64"));
                }
                Err(e) => return Err(Unread::Io(e)),
            };
            self.code.write_all(&chunk[..read]).map_err(Unread::Kept)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{decode, route};

    const CREATE: &str = "/2015-03-31/functions";
    const UPDATE: &str = "/2015-03-31/functions/f/code";

    fn streamed(path: &str, body: &[u8]) -> Result<(Value, Option<Vec<u8>>), CodeFault> {
        let method = if path == CREATE { "POST" } else { "PUT" };
        let routed = route(Service::Lambda, method, path, "").expect("a route");
        let mut code = Vec::new();
        let (decoded, has_code) = decode_code(&routed, &HeaderMap::new(), body, &mut code)?;
        Ok((decoded.input, has_code.then_some(code)))
    }

    fn refused(path: &str, body: &str) -> ApiError {
        match streamed(path, body.as_bytes()) {
            Err(CodeFault::Refused(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    /// A body that never has a second byte at hand.
    struct ByBytes<'b>(&'b [u8]);

    impl Read for ByBytes<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    fn create(code: &str) -> String {
        format!(
            r#"{{"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Description": "a\u00e9\n",
                "Timeout": "7", "Publish": true, "Layers": null, "Code": {code}, "New": [1, 2.5, {{"ZipFile": "kept"}}]}}"#
        )
    }

    #[test]
    fn code_is_taken_out_and_the_rest_is_read_as_ever() {
        // CP-033, CP-023
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let text = base64::Engine::encode(&STANDARD, &bytes);
        // As some write it.
        let escaped = text.replace('/', r"\/").replace('+', r"\u002b");
        for written in [&text, &escaped] {
            let body = create(&format!(r#"{{"ZipFile": "{written}"}}"#));
            let (input, code) = streamed(CREATE, body.as_bytes()).expect("well-formed");
            assert_eq!(code.as_deref(), Some(&bytes[..]));
            let routed = route(Service::Lambda, "POST", CREATE, "").expect("a route");
            let empty = create(r#"{"ZipFile": ""}"#);
            let plain = decode(&routed, &HeaderMap::new(), empty.as_bytes()).expect("well-formed");
            assert_eq!(input, plain.input);
            let mut code = Vec::new();
            let (slow, _) = decode_code(
                &routed,
                &HeaderMap::new(),
                ByBytes(body.as_bytes()),
                &mut code,
            )
            .expect("well-formed");
            assert_eq!((slow, code), (plain, bytes.clone()));
        }
        let body = format!(r#"{{"Publish": false, "ZipFile": "{text}"}}"#);
        let (input, code) = streamed(UPDATE, body.as_bytes()).expect("well-formed");
        assert_eq!(code, Some(bytes));
        let wanted = json!({ "FunctionName": "f", "Publish": false, "ZipFile": "" });
        assert_eq!(input, wanted);
    }

    #[test]
    fn code_may_be_elsewhere_or_nowhere() {
        // CP-033, CP-075
        for code in [
            r#"{"S3Bucket": "builds", "S3Key": "k"}"#,
            r#"{"ZipFile": null}"#,
        ] {
            let (_, code) = streamed(CREATE, create(code).as_bytes()).expect("well-formed");
            assert_eq!(code, None);
        }
        let (input, code) = streamed(UPDATE, b"").expect("no body");
        assert_eq!((input, code), (json!({ "FunctionName": "f" }), None));
        // Only in its place.
        let (input, code) = streamed(UPDATE, br#"{"Code": {"ZipFile": "QQ=="}}"#).expect("unknown");
        assert_eq!((&input["Code"]["ZipFile"], code), (&json!("QQ=="), None));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_as_before() {
        // CP-033, CP-028, CP-010
        for (path, body, says) in [
            (UPDATE, r#"{"ZipFile": "QQ"}"#, "ZipFile: not base64"),
            (UPDATE, r#"{"ZipFile": "Q Q="}"#, "ZipFile: not base64"),
            (
                CREATE,
                &create(r#"{"ZipFile": "?"}"#),
                "Code.ZipFile: not base64",
            ),
            (UPDATE, r#"{"ZipFile": 1}"#, "ZipFile"),
            (UPDATE, r#"{"ZipFile": "QQ==", "ZipFile": "QQ=="}"#, "twice"),
            (
                UPDATE,
                r#"{"ZipFile": "QQ=="} x"#,
                "Could not parse request body into json",
            ),
            (
                UPDATE,
                r#"{"ZipFile": "QQ="#,
                "Could not parse request body into json",
            ),
            (UPDATE, "[]", "not an object"),
        ] {
            let error = refused(path, body);
            assert_eq!(
                (error.status, &*error.code),
                (400, "InvalidRequestContentException"),
                "{body}"
            );
            assert!(error.message.contains(says), "{}", error.message);
        }
        let many = format!(r#"{{"X": [{}1]}}"#, "1,".repeat(json::MAX_PARTS));
        assert!(refused(UPDATE, &many).message.contains("parts"));
        let long = format!(r#"{{"X": "{}"}}"#, "x".repeat(MOST_TEXT));
        assert_eq!(refused(UPDATE, &long).status, 413);
        let deep = format!(r#"{{"X": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
        assert_eq!(refused(UPDATE, &deep).status, 400);
    }

    #[test]
    fn a_sink_that_is_full_is_not_the_senders_fault() {
        // CP-033
        let routed = route(Service::Lambda, "PUT", UPDATE, "").expect("a route");
        let mut full = &mut [0u8; 1][..];
        let body = br#"{"ZipFile": "QUJDRA=="}"#;
        let fault = decode_code(&routed, &HeaderMap::new(), &body[..], &mut full);
        assert!(matches!(fault, Err(CodeFault::Kept(_))), "{fault:?}");
    }
}
