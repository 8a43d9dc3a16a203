//! CloudFront Functions: one file of code each, a runtime, and the store they may read (LE section 8).
//!
//! CloudFront keeps two stages of a function and associates the published one (LE-387). A site file holds one: what is
//! deployed is published, and all its associations switch together. There are no version numbers (LE-388).

use std::{path::Path, sync::Arc};

use fourfront_model::{
    CloudFrontFunction, Compat, EventType, Function, FunctionKind, FunctionName, FunctionSource,
    FunctionVersion, HandlerPath,
};

use super::{Context, arns, files, store::Stores};
use crate::{
    raw::{Named, RawCloudFrontFunction},
    report::{At, Spanned},
};

/// One function and where it stands.
pub(crate) struct DeclaredCloudFront {
    pub(crate) name: String,
    pub(crate) at: At,
    /// The ARN that it has on AWS.
    pub(crate) arn: Option<String>,
    /// `None` when it has errors of its own; the name is known all the same.
    pub(crate) function: Option<Arc<Function>>,
}

impl DeclaredCloudFront {
    pub(crate) fn lower(
        named: Named<RawCloudFrontFunction>,
        stores: &Stores,
        context: &Context<'_>,
    ) -> Self {
        let Named { name, value } = named;
        let parsed = name.value.parse::<FunctionName>();
        if let Err(e) = &parsed {
            context.report.error(&name.at, e.to_string());
        }
        let arn = value.as_ref().and_then(|raw| raw.arn.as_ref());
        let arn = arn.and_then(|arn| arns::CLOUDFRONT.declared(arn, context.report));
        let function = value.and_then(|raw| lower_one(parsed.ok(), &raw, stores, context));
        Self {
            name: name.value,
            at: name.at,
            arn,
            function: function.map(Arc::new),
        }
    }

    /// Checks what AWS checks when an association is made and hands out the function.
    pub(crate) fn attach(
        &self,
        event: EventType,
        association: &At,
        compat: Compat,
        context: &Context<'_>,
    ) -> Option<Arc<Function>> {
        if !event.is_viewer() {
            let message = format!(
                "InvalidFunctionAssociation: `{}` is a CloudFront Function, which runs at viewer-request and viewer-response only",
                self.name
            );
            context.report.error_help(
                association,
                message,
                "attach a function of `functions:` here".to_owned(),
            );
            return None;
        }
        let function = self.function.as_ref()?;
        let most = context.quotas.cloudfront_function_size;
        if compat == Compat::Strict
            && let FunctionSource::File(path) = &function.source
            && let Some(size) = size(path).filter(|size| *size > most as u64)
        {
            // LE-435, CP-152
            let message = format!(
                "FunctionSizeLimitExceeded: the code has {size} bytes, a CloudFront Function may have {most}"
            );
            let help = "shorten it, or set `compat: relaxed` for the distribution".to_owned();
            context.report.error_help(&self.at, message, help);
        }
        Some(Arc::clone(function))
    }
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|m| m.len())
}

fn lower_one(
    name: Option<FunctionName>,
    raw: &RawCloudFrontFunction,
    stores: &Stores,
    context: &Context<'_>,
) -> Option<Function> {
    let source = raw.file.as_ref().and_then(|file| source(file, context));
    let is_sealed = raw.file.as_ref().is_some_and(|f| f.at.file.is_deployed());
    let store = match &raw.store {
        None => None,
        Some(name) => Some(stores.find(name, context.report)?),
    };
    Some(Function {
        name: name?,
        version: FunctionVersion(1),
        source: source?,
        // The bundle's one file; its `handler` is no export (LE-463).
        handler: HandlerPath::default(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: is_sealed,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::CloudFront(CloudFrontFunction {
            runtime: raw.runtime.unwrap_or_default(),
            store,
        }),
    })
}

fn source(file: &Spanned<String>, context: &Context<'_>) -> Option<FunctionSource> {
    let path = files::existing_file(file, context)?;
    // What was deployed lies under a name made of what it holds.
    if path.extension().is_some_and(|e| e == "js") || file.at.file.is_deployed() {
        return Some(FunctionSource::File(path));
    }
    context.report.error_help(
        &file.at,
        format!("`{}` is not a JavaScript file", file.value),
        "a CloudFront Function is one `.js` file".to_owned(),
    );
    None
}
