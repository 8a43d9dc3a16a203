//! Operations and shapes as `generate.py` writes them, and the way into them (CP-440).

use crate::model::{Operation, Service};

#[rustfmt::skip]
mod cloudfront;
#[rustfmt::skip]
mod iam;
#[rustfmt::skip]
mod key_value_store;
#[rustfmt::skip]
mod lambda;
#[rustfmt::skip]
mod logs;
#[rustfmt::skip]
mod sts;

/// All operations of a service that have a table entry.
pub(crate) fn operations(service: Service) -> &'static [Operation] {
    match service {
        Service::CloudFront => cloudfront::OPERATIONS,
        Service::Lambda => lambda::OPERATIONS,
        Service::KeyValueStore => key_value_store::OPERATIONS,
        Service::Sts => sts::OPERATIONS,
        Service::Iam => iam::OPERATIONS,
        Service::Logs => logs::OPERATIONS,
    }
}

/// Names of operations that exist and have no entry, of services whose requests name the operation.
pub(crate) fn later(service: Service) -> &'static [&'static str] {
    match service {
        Service::CloudFront => cloudfront::LATER_NAMES,
        Service::Lambda => lambda::LATER_NAMES,
        Service::KeyValueStore => key_value_store::LATER_NAMES,
        Service::Sts => sts::LATER_NAMES,
        Service::Iam => iam::LATER_NAMES,
        Service::Logs => logs::LATER_NAMES,
    }
}

/// Codes of errors that a service declares, with the status of each, by name.
pub(crate) fn errors(service: Service) -> &'static [(&'static str, u16)] {
    match service {
        Service::CloudFront => cloudfront::ERRORS,
        Service::Lambda => lambda::ERRORS,
        Service::KeyValueStore => key_value_store::ERRORS,
        Service::Sts => sts::ERRORS,
        Service::Iam => iam::ERRORS,
        Service::Logs => logs::ERRORS,
    }
}
