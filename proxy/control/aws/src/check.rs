//! Whether a value keeps to its shape: constraints, required members, quantities (CP-021, CP-022, CP-440, table 1.5).

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{
    error::{ApiError, Condition},
    model::{Kind, Place, Service, Shape},
};

/// Longest value that a message repeats, in characters.
const SHOWN: usize = 256;
/// Most faults that a message tells of.
const TOLD: usize = 10;

/// Checks what goes into an operation against its shape.
///
/// # Errors
/// `InvalidArgument` of CloudFront, `ValidationException` of Lambda and of key-value stores, and so on, with the texts
/// of the model's constraints; `MalformedXML` of CloudFront where members are missing that have to be there.
pub(crate) fn constraints(
    service: Service,
    shape: &'static Shape,
    value: &Value,
) -> Result<(), ApiError> {
    let mut checker = Checker {
        service,
        told: Vec::new(),
        count: 0,
        path: Vec::new(),
        missing: 0,
        runtime: false,
    };
    checker.visit(shape, value);
    let Checker { told, count, .. } = &checker;
    let count = *count;
    if count == 0 {
        return Ok(());
    }
    let errors = if count == 1 { "error" } else { "errors" };
    let message = format!("{count} validation {errors} detected: {}", told.join("; "));
    if checker.runtime && count == 1 {
        // Lambda answers for unknown runtimes with a code of its own (CP-073).
        return Err(ApiError::new(
            service,
            "InvalidParameterValueException",
            message,
        ));
    }
    let condition = if checker.missing == count {
        Condition::MissingMember
    } else {
        Condition::Constraint
    };
    Err(ApiError::common(service, condition, message))
}

struct Checker {
    service: Service,
    /// Texts of the first faults; a body of many megabytes may have as many faults as it has bytes.
    told: Vec<String>,
    /// How many there are in all.
    count: usize,
    path: Vec<String>,
    /// How many of the faults are missing members.
    missing: usize,
    /// Whether one of the faults is an unknown runtime.
    runtime: bool,
}

impl Checker {
    fn fault(&mut self, value: &Value, constraint: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() == TOLD {
            return;
        }
        let (shown, path, constraint) = (shown(value), self.path.join("."), constraint());
        self.told.push(format!(
            "Value {shown} at '{path}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    fn visit(&mut self, shape: &'static Shape, value: &Value) {
        match (&shape.kind, value) {
            (Kind::Structure { members, .. }, Value::Object(object)) => {
                for member in *members {
                    self.path.push(lower_first(member.name));
                    match object.get(member.name) {
                        // Absent and empty are the same for what may be absent (CP-021).
                        Some(Value::String(text))
                            if text.is_empty()
                                && !member.required
                                && self.service == Service::CloudFront => {}
                        Some(value) => self.visit(member.shape, value),
                        // CloudFront has a code of its own for this one, which is for the operation to give (CP-041).
                        None if self.service == Service::CloudFront
                            && member.wire == "If-Match" => {}
                        None if member.required => {
                            self.missing += 1;
                            self.fault(&Value::Null, || "not be null".to_owned());
                        }
                        None => {}
                    }
                    self.path.pop();
                }
            }
            (Kind::List { item, min, max, .. }, Value::Array(items)) => {
                self.length(items.len(), *min, *max, value);
                for (index, value) in items.iter().enumerate() {
                    self.path.push(format!("{}.member", index + 1));
                    self.visit(item, value);
                    self.path.pop();
                }
            }
            (
                Kind::Map {
                    key,
                    value: of_values,
                    min,
                    max,
                },
                Value::Object(object),
            ) => {
                self.length(object.len(), *min, *max, value);
                for (name, value) in object {
                    self.path.push(format!("{name}.member"));
                    self.visit(key, &Value::String(name.clone()));
                    self.visit(of_values, value);
                    self.path.pop();
                }
            }
            (
                Kind::Text {
                    values,
                    min,
                    max,
                    pattern,
                },
                Value::String(text),
            ) => {
                self.length(text.chars().count(), *min, *max, value);
                if !values.is_empty() && !values.contains(&text.as_str()) {
                    self.runtime |= self.service == Service::Lambda && shape.name == "Runtime";
                    self.fault(value, || {
                        format!("satisfy enum value set: [{}]", values.join(", "))
                    });
                }
                if let Some(pattern) = pattern.filter(|pattern| !pattern.matches(text)) {
                    self.fault(value, || {
                        format!("satisfy regular expression pattern: {}", pattern.text())
                    });
                }
            }
            (Kind::Integer { min, max }, Value::Number(number)) => {
                let Some(number) = number.as_i64() else {
                    return;
                };
                if let Some(max) = max.filter(|max| number > *max) {
                    self.fault(value, || format!("have value less than or equal to {max}"));
                }
                if let Some(min) = min.filter(|min| number < *min) {
                    self.fault(value, || {
                        format!("have value greater than or equal to {min}")
                    });
                }
            }
            _ => {}
        }
    }

    fn length(&mut self, length: usize, min: Option<u32>, max: Option<u32>, value: &Value) {
        if max.is_some_and(|max| length > max as usize) {
            let max = max.unwrap_or_default();
            self.fault(value, || format!("have length less than or equal to {max}"));
        }
        if min.is_some_and(|min| length < min as usize) {
            let min = min.unwrap_or_default();
            self.fault(value, || {
                format!("have length greater than or equal to {min}")
            });
        }
    }
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

fn shown(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Null => return "null".to_owned(),
        Value::String(value) => text.push_str(value),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().take(TOLD).enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let item = item
                    .as_str()
                    .map_or_else(|| item.to_string(), str::to_owned);
                let _ = write!(text, "{comma}{item}");
            }
            text.push(']');
        }
        other => text = other.to_string(),
    }
    if text.chars().count() > SHOWN {
        text = text.chars().take(SHOWN).chain("...".chars()).collect();
    }
    format!("'{text}'")
}

/// Compares every `Quantity` with the number of `Items` beside it; `Items` may be absent where there are none (CP-022).
///
/// # Errors
/// `InconsistentQuantities`, naming the first list in the document's order.
pub fn quantities(shape: &'static Shape, value: &Value) -> Result<(), ApiError> {
    let mut path = Vec::new();
    match uneven(shape, value, &mut path) {
        None => Ok(()),
        Some((quantity, items)) => Err(ApiError::new(
            Service::CloudFront,
            "InconsistentQuantities",
            format!(
                "The value of Quantity and the size of Items do not match: {quantity} and {items} at {}",
                path.join(".")
            ),
        )),
    }
}

fn uneven(
    shape: &'static Shape,
    value: &Value,
    path: &mut Vec<&'static str>,
) -> Option<(i64, usize)> {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(object)) => {
            if let Some(counts) = counts(shape, object) {
                return Some(counts);
            }
            members.iter().find_map(|member| {
                let value = object.get(member.name)?;
                path.push(member.name);
                let found = uneven(member.shape, value, path);
                if found.is_none() {
                    path.pop();
                }
                found
            })
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            items.iter().find_map(|value| uneven(item, value, path))
        }
        _ => None,
    }
}

fn counts(shape: &'static Shape, object: &Map<String, Value>) -> Option<(i64, usize)> {
    let listed = shape
        .member("Items")
        .is_some_and(|items| matches!(items.shape.kind, Kind::List { .. }));
    if !listed || shape.member("Quantity").is_none() {
        return None;
    }
    let quantity = object.get("Quantity")?.as_i64()?;
    let items = match object.get("Items") {
        Some(Value::Array(items)) => items.len(),
        _ => 0,
    };
    (i64::try_from(items) != Ok(quantity)).then_some((quantity, items))
}

/// Takes away every member that is an empty text and may be absent: the document as it is to be acted on, where what is
/// empty means nothing (CP-021). The stored document keeps them.
pub fn without_empty(shape: &'static Shape, value: &mut Value) {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(object)) => {
            for member in *members {
                let empty = object
                    .get(member.name)
                    .is_some_and(|value| value.as_str() == Some(""));
                if empty && !member.required && member.place == Place::Body {
                    object.remove(member.name);
                } else if let Some(value) = object.get_mut(member.name) {
                    without_empty(member.shape, value);
                }
            }
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            for value in items {
                without_empty(item, value);
            }
        }
        _ => {}
    }
}
