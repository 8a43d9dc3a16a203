//! The cache: policy, key, memory tier.
