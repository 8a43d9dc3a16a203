//! The binary as its users meet it: arguments, exit codes, signals, what it prints and where (CP-616).
//!
//! Nothing here links the library, so this costs no second link of the engine. Ports are free ones and told by the
//! program; conditions are waited for, with a limit, and never a time.
#![forbid(unsafe_code)]

mod access;
mod cache_tests;
mod deploy;
mod dev;
mod explain;
mod in_force;
mod init;
mod logs;
mod offline;
mod program;
mod purge;
mod releases;
mod roots;
mod serve;
mod service;
mod sitefiles;
mod stages;
mod starting;
