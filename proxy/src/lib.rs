//! A CDN node that runs Lambda@Edge functions around a real cache.
