//! Fourfront, a CDN node: a caching reverse proxy that runs Lambda@Edge functions at
//! CloudFront's four trigger points.
//!
//! This crate composes the others. [`flow`] is the life of a request as data; [`pingora`] is the thin
//! layer that Pingora calls; [`node`] holds one configuration at a time and what outlives it;
//! [`geo`] knows where addresses are, and [`origins`] what outlives single requests on their side; [`load`] says how much is taken on
//! at the same time; [`cli`] and [`observe`] face the operator, and so do [`purge`] and [`explain`], which say what is stored and why;
//! [`plane`] is the node as its control plane, `fourfront-control`'s API, sees it.
//!
//! TLS toward origins is rustls: it needs no system library, the engine's own network
//! stack links it already, and its errors name the certificate's fault (CF-423).
#![deny(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod explain;
pub mod flow;
pub mod geo;
pub mod load;
pub mod node;
pub mod observe;
pub mod origins;
pub mod pingora;
pub mod plane;
pub mod purge;
pub mod tls;
