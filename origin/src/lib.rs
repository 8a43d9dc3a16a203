//! Origins: what is sent to them, and directories that stand in for buckets.
