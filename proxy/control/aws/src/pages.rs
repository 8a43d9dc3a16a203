//! Pages of lists: how many, from where (CP-044, CP-045, CP-046).

use serde_json::{Map, Value};

use crate::{
    error::{ApiError, Condition},
    model::{Operation, Pages, Service},
};

/// What a request says of the page it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Where to go on, as the node gave it out. `None` for the first page.
    pub token: Option<&'a str>,
    /// Most items.
    pub limit: usize,
}

impl Pages {
    /// Reads token and limit of an operation's input. More than a page may hold is a full page.
    ///
    /// # Errors
    /// A limit that is no number, or none that can be.
    pub fn wanted<'a>(
        &self,
        operation: &Operation,
        input: &'a Value,
    ) -> Result<Wanted<'a>, ApiError> {
        let token = input
            .get(self.token)
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty());
        let limit = match input.get(self.limit) {
            None => Some(self.default),
            // CloudFront's model has a text here.
            Some(Value::String(text)) if text.is_empty() => Some(self.default),
            Some(Value::String(text)) => text.parse().ok(),
            Some(number) => number
                .as_u64()
                .and_then(|number| usize::try_from(number).ok()),
        };
        // IAM and Lambda refuse nothing at all by their constraints; CloudFront's text has none.
        let limit = limit.filter(|limit| *limit > 0).ok_or_else(|| {
            let text = format!("{} must be a positive number", self.limit);
            ApiError::common(operation.service, Condition::Constraint, text)
        })?;
        Ok(Wanted {
            token,
            limit: limit.min(self.most),
        })
    }

    /// Puts into a list's output what its shape has of a page: where the next one begins, whether there is one, what was
    /// asked for. CloudFront's lists carry `MaxItems`, `Quantity` and, of some, `Marker` and `IsTruncated` (CP-044).
    pub fn fill(
        &self,
        operation: &Operation,
        wanted: Wanted<'_>,
        next: Option<String>,
        list: &mut Map<String, Value>,
    ) {
        if self.truncated {
            list.insert("IsTruncated".into(), Value::Bool(next.is_some()));
        }
        if self.echo {
            list.insert(
                "Marker".into(),
                Value::from(wanted.token.unwrap_or_default()),
            );
        }
        if operation.service == Service::CloudFront {
            let items = list
                .get("Items")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            list.insert("Quantity".into(), Value::from(items));
            list.insert("MaxItems".into(), Value::from(wanted.limit));
        }
        if let Some(next) = next {
            list.insert(self.next.into(), Value::String(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(service: Service, name: &str) -> (&'static Operation, Pages) {
        let operation = service.operation(name).expect("an operation");
        (operation, operation.pages.expect("a list"))
    }

    #[test]
    fn lists_of_cloudfront() {
        // CP-044: default and most are 100, and two of the lists say more of a page than the others.
        let (operation, pages) = list(Service::CloudFront, "ListDistributions");
        let limit = |input: Value| pages.wanted(operation, &input).map(|wanted| wanted.limit);
        assert_eq!(limit(json!({})), Ok(100));
        assert_eq!(limit(json!({"MaxItems": "7"})), Ok(7));
        assert_eq!(limit(json!({"MaxItems": "5000"})), Ok(100));
        for wrong in ["0", "-1", "many"] {
            let error = limit(json!({"MaxItems": wrong})).expect_err("no limit");
            assert_eq!((error.status, &*error.code), (400, "InvalidArgument"));
        }
        let input = json!({"Marker": "m", "MaxItems": "1"});
        let wanted = pages.wanted(operation, &input).expect("a page");
        let mut output = json!({"Items": [1]});
        let object = output.as_object_mut().expect("an object");
        pages.fill(operation, wanted, Some("n".into()), object);
        assert_eq!(
            output,
            json!({"Items": [1], "Quantity": 1, "MaxItems": 1, "Marker": "m", "IsTruncated": true, "NextMarker": "n"})
        );
        for name in [
            "ListFunctions",
            "ListKeyValueStores",
            "ListPublicKeys",
            "ListKeyGroups",
            "ListCachePolicies",
        ] {
            let (operation, pages) = list(Service::CloudFront, name);
            let mut output = Map::new();
            let wanted = Wanted {
                token: None,
                limit: 100,
            };
            pages.fill(operation, wanted, None, &mut output);
            assert_eq!(
                Value::Object(output),
                json!({"Quantity": 0, "MaxItems": 100}),
                "{name}"
            );
        }
    }

    #[test]
    fn lists_of_lambda_and_of_stores() {
        // CP-045, CP-046.
        let (operation, pages) = list(Service::Lambda, "ListVersionsByFunction");
        let input = json!({"MaxItems": 10000});
        let wanted = pages.wanted(operation, &input).expect("a page");
        assert_eq!(wanted.limit, 50);
        let mut output = Map::new();
        pages.fill(operation, wanted, None, &mut output);
        assert!(output.is_empty());
        let (operation, pages) = list(Service::KeyValueStore, "ListKeys");
        let input = json!({});
        assert_eq!(
            pages.wanted(operation, &input).map(|wanted| wanted.limit),
            Ok(10)
        );
        let mut output = Map::new();
        let wanted = Wanted {
            token: None,
            limit: 10,
        };
        pages.fill(operation, wanted, Some("t".into()), &mut output);
        assert_eq!(Value::Object(output), json!({"NextToken": "t"}));
    }
}
