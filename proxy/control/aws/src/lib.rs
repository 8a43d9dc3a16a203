//! Wire formats of the AWS-compatible API: what a request asks for, what its answer looks like.
//!
//! A request goes through four steps, none of which does any I/O or reads a clock:
//!
//! 1. [`dispatch()`] says whose it is: the native API's or one of the services' (CP-002, CP-003).
//! 2. [`route()`] or, where requests name their operation, [`route_named`] finds the operation and takes the parameters
//!    out of the path and the query (CP-007, CP-008, CP-016).
//! 3. [`decode()`] reads parameters, headers and body into one [`serde_json::Value`] in the API's own member names, and
//!    holds it against the operation's shape (CP-020..024, CP-028, CP-030..033).
//! 4. [`encode()`] writes what the operation gave, [`encode_error`] what went wrong (CP-024..027, CP-030..032).
//!
//! Operations and shapes are tables that `generate.py` writes from the models of botocore (CP-440).
//!
//! # Values
//!
//! Values hold members by the model's names, lists as `{"Quantity", "Items"}` where the model has them so. Moments are
//! texts in ISO 8601 in every service (numbers of seconds since 1970 are understood as well); each protocol writes them
//! its own way. Bytes are base64, those of bodies that are nothing but bytes too. Members that the model does not know
//! are kept as they came, and follow the others on the way out (CP-023).
//!
//! An empty text stays one in a value, although for a member that may be absent it means the same as its absence (CP-021):
//! so a tool reads back what it wrote. [`without_empty`] gives the document as it is to be acted on.
//!
//! # What is left to others
//!
//! The listener unfolds chunks, answers `Expect`, adds `Date` and, of [`RouteError::WrongMethod`], may add `Allow`.
//! Authentication is not here, nor is `If-Match`: a missing one of CloudFront passes, since its error is another (CP-041).
//! How large a function may be is not checked here either, as its errors differ by service (CP-071, CP-152).
#![forbid(unsafe_code)]

mod arn;
mod body;
mod check;
mod decode;
mod dispatch;
mod encode;
mod error;
mod foreign;
mod model;
pub mod normal;
mod pages;
mod route;
mod tables;
mod time;
mod xml;

pub use arn::{Arn, FunctionRef, is_account, is_region, split_host};
pub use body::{BodyError, unpack, unpacked};
pub use check::{quantities, without_empty};
pub use decode::{CodeFault, Decoded, decode, decode_code, document, input};
pub use dispatch::{Asked, Dispatch, dispatch};
pub use encode::{EncodeError, Reply, WireAnswer, encode};
pub use error::{ApiError, Condition, encode_error};
pub use foreign::{ForeignCall, ForeignForm, foreign_service, is_own_service, is_service_name};
pub use model::{
    Kind, Member, Operation, Pages, Pattern, Place, Protocol, Segment, Service, Shape, Tier,
};
pub use pages::Wanted;
pub use route::{RouteError, Routed, pairs, route, route_named};
