//! From what JavaScript threw to what the operator reads.

use deno_core::error::{CoreError, CoreErrorKind, JsError};

use crate::ExecutionFault;

const AWS_SDK: &str = "\nThe AWS SDK is not part of this runtime: pack it with the function, or name a directory that has it in \
     `node.hooks.modules_dir`";

/// An error as `describe` in `boot.js` writes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thrown {
    pub(super) name: String,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) stack: String,
}

impl Thrown {
    /// Reads `name[\tcode]\nlength\nmessage stack`; the length counts UTF-16 units.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '\n');
        let name = parts.next().unwrap_or("Error");
        let length: usize = parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let rest = parts.next().unwrap_or("");
        let mut units = 0;
        let at = rest
            .char_indices()
            .find(|(_, c)| {
                let found = units >= length;
                units += c.len_utf16();
                found
            })
            .map_or(rest.len(), |(i, _)| i);
        let (name, code) = match name.split_once('\t') {
            Some((name, code)) => (name, Some(code.to_owned())),
            None => (name, None),
        };
        Self {
            name: name.to_owned(),
            code,
            message: rest[..at].to_owned(),
            stack: frames(&rest[at..]),
        }
    }

    pub(super) fn from_js(error: &JsError) -> Self {
        Self {
            name: error.name.clone().unwrap_or_else(|| "Error".into()),
            code: None,
            message: error
                .message
                .clone()
                .unwrap_or_else(|| error.exception_message.clone()),
            stack: error.stack.as_deref().map(frames).unwrap_or_default(),
        }
    }

    /// The fault of a call.
    pub(super) fn in_call(self) -> ExecutionFault {
        let hint = self.hint();
        ExecutionFault::Thrown {
            error_type: self.name,
            message: self.message + hint,
            stack: self.stack,
        }
    }

    /// How to provide what AWS's own runtime has and this one has not (NC-71, NC-72).
    fn hint(&self) -> &'static str {
        let of_aws = ["'aws-sdk", "'@aws-sdk/", "'@smithy/"];
        if self.is_missing() && of_aws.iter().any(|p| self.message.contains(p)) {
            AWS_SDK
        } else {
            ""
        }
    }

    fn is_missing(&self) -> bool {
        self.message.starts_with("Cannot find module ")
            || self.message.starts_with("Cannot find package ")
    }

    /// The fault of loading, with AWS's names (NC-57).
    pub(super) fn at_load(self) -> ExecutionFault {
        let not_found = matches!(
            self.code.as_deref(),
            Some(
                "MODULE_NOT_FOUND"
                    | "ERR_MODULE_NOT_FOUND"
                    | "ERR_PACKAGE_PATH_NOT_EXPORTED"
                    | "ERR_PACKAGE_IMPORT_NOT_DEFINED"
                    | "ERR_INVALID_PACKAGE_CONFIG"
                    | "ERR_INVALID_PACKAGE_TARGET"
                    | "ERR_UNSUPPORTED_DIR_IMPORT"
                    | "ERR_UNKNOWN_FILE_EXTENSION"
                    | "ERR_UNKNOWN_BUILTIN_MODULE"
                    | "ERR_DLOPEN_FAILED"
            )
        ) || self.message.starts_with("Cannot find ")
            || self.message.contains("is not available in functions yet");
        let error_type = if self.name == "SyntaxError" {
            "Runtime.UserCodeSyntaxError".to_owned()
        } else if not_found {
            "Runtime.ImportModuleError".to_owned()
        } else {
            self.name.clone()
        };
        let message = if error_type == self.name || self.name == "Error" {
            self.message.clone()
        } else {
            format!("{}: {}", self.name, self.message)
        }
        .replace("file:///var/", "/var/")
            + self.hint();
        ExecutionFault::Load {
            error_type,
            message,
            stack: self.stack,
        }
    }
}

/// The stack lines without the message, and without the engine's own frames (NC-56).
fn frames(stack: &str) -> String {
    stack
        .lines()
        .filter(|l| l.trim_start().starts_with("at ") && !l.contains("ext:"))
        .map(|l| l.replace("file:///var/", "/var/"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the event loop gave up with.
pub(super) fn from_core(error: CoreError) -> Thrown {
    match error.into_kind() {
        CoreErrorKind::Js(js) => Thrown::from_js(&js),
        other => Thrown {
            name: "Error".into(),
            message: other.to_string(),
            ..Thrown::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_split_at_utf16_lengths() {
        let t = Thrown::parse(
            "TypeError\tE_X\n4\na💥b    at f (/var/task/a.js:1:2)\n    at ext:core/x.js:1:1",
        );
        assert_eq!(
            (t.name.as_str(), t.code.as_deref()),
            ("TypeError", Some("E_X"))
        );
        assert_eq!(t.message, "a💥b");
        assert_eq!(t.stack, "    at f (/var/task/a.js:1:2)");
        assert_eq!(Thrown::parse("").message, "");
    }

    #[test]
    fn load_errors_get_the_names_of_lambda() {
        // NC-57
        let of = |name: &str, code: Option<&str>| {
            let thrown = Thrown {
                name: name.into(),
                code: code.map(str::to_owned),
                message: "m".into(),
                stack: String::new(),
            };
            match thrown.at_load() {
                ExecutionFault::Load {
                    error_type,
                    message,
                    ..
                } => (error_type, message),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            of("SyntaxError", None),
            (
                "Runtime.UserCodeSyntaxError".into(),
                "SyntaxError: m".into()
            )
        );
        assert_eq!(
            of("Error", Some("MODULE_NOT_FOUND")),
            ("Runtime.ImportModuleError".into(), "m".into())
        );
        assert_eq!(
            of("Runtime.HandlerNotFound", None),
            ("Runtime.HandlerNotFound".into(), "m".into())
        );
        assert_eq!(of("TypeError", None), ("TypeError".into(), "m".into()));
    }

    #[test]
    fn whoever_misses_an_aws_sdk_is_told_how_to_provide_it() {
        // NC-71, NC-72
        let said = |message: &str| {
            let thrown = Thrown {
                name: "Error".into(),
                message: message.into(),
                ..Thrown::default()
            };
            thrown.in_call().to_string()
        };
        for message in [
            "Cannot find module 'aws-sdk'\nRequire stack:\n- /var/task/index.js",
            "Cannot find module '@aws-sdk/client-s3'",
            "Cannot find package '@aws-sdk/client-s3' imported from /var/task/index.mjs",
        ] {
            assert!(
                said(message).contains("node.hooks.modules_dir"),
                "{message}"
            );
        }
        assert!(!said("Cannot find module 'lodash'").contains("modules_dir"));
        assert!(!said("no 'aws-sdk'").contains("modules_dir"));
    }
}
