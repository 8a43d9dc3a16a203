//! The outside view: a node in process, scripted origins, scenarios, the rules ledger.
