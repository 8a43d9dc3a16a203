//! What the node knows of a stored response beside its head.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fourfront_cache::{
    policy::{EdgeEncoding, Freshness},
    purge::{Stamp, Standing},
    segments::Layout,
};
use fourfront_origin::OriginFault;
use http::{HeaderName, HeaderValue};
use pingora::cache::CacheMeta;

use crate::flow::compression::Compressed;

/// What is kept beside a stored head, in the extensions of Pingora's record. Cloned with every hit, so it is
/// one reference count.
#[derive(Clone, Debug)]
pub(in crate::pingora) struct StoredFacts(Arc<Facts>);

/// See [`StoredFacts`].
#[derive(Clone, Debug)]
pub(in crate::pingora) struct Facts {
    /// When it is fresh, by our policy; see [`Self::freshness`].
    freshness: Freshness,
    /// Whether it has been invalidated since it was fetched.
    pub(in crate::pingora) stamp: Stamp,
    /// Fields only the first viewer gets.
    pub(in crate::pingora) unshared: Box<[HeaderName]>,
    /// The failure this stands for: the origin gave no answer (CF-296). Each viewer gets a page of its own, with
    /// its own request id (CF-780); what is stored is the first one's.
    pub(in crate::pingora) fault: Option<Box<OriginFault>>,
    /// Whether this is an error whose body was left out, since a page stands in for it (CF-592).
    pub(in crate::pingora) has_no_body: bool,
    /// How the body is cut, if it is stored in segments of its own: then the head is stored without it.
    pub(in crate::pingora) layout: Option<Layout>,
    /// What the origin called the body, if the node has compressed it.
    pub(in crate::pingora) compressed: Option<Box<Compressed>>,
}

impl Facts {
    /// How the body differs from the one the origin sent (CF-281).
    pub(in crate::pingora) fn encoding(&self) -> EdgeEncoding<'_> {
        match &self.compressed {
            None => EdgeEncoding::AsReceived,
            Some(compressed) => EdgeEncoding::Compressed {
                origin_etag: compressed.origin_etag.as_ref(),
            },
        }
    }

    /// When it is fresh: by our policy, and no longer than until it was softly invalidated. Whether it may answer at all
    /// is the stamp's to say.
    pub(in crate::pingora) fn freshness(&self) -> Freshness {
        match self.stamp.standing() {
            Standing::Stale { since, .. } => self.freshness.ended(since),
            Standing::Valid | Standing::Gone { .. } => self.freshness,
        }
    }

    /// The same but for invalidations, for a record that keeps the stamp beside it.
    pub(in crate::pingora) const fn kept_freshness(&self) -> Freshness {
        self.freshness
    }

    /// The same, if nothing was invalidated: what most hits ask, and for them no more than a comparison.
    pub(in crate::pingora) fn untouched(&self) -> Option<&Freshness> {
        (self.stamp.standing() == Standing::Valid).then_some(&self.freshness)
    }

    /// Bytes that what it points to takes on the heap.
    pub(super) fn heap(&self) -> usize {
        let compressed = self.compressed.as_deref();
        let etag = compressed.and_then(|c| c.origin_etag.as_ref());
        self.stamp.weight()
            + size_of_val(&*self.unshared)
            + compressed.map_or(0, size_of_val)
            + etag.map_or(0, HeaderValue::len)
    }

    /// Whether nothing may answer from it any more (CF-660).
    pub(in crate::pingora) fn is_gone(&self) -> bool {
        matches!(self.stamp.standing(), Standing::Gone { .. })
    }
}

impl StoredFacts {
    pub(in crate::pingora) fn new(
        freshness: Freshness,
        unshared: Vec<HeaderName>,
        stamp: Stamp,
    ) -> Self {
        Self(Arc::new(Facts {
            freshness,
            stamp,
            unshared: unshared.into(),
            fault: None,
            has_no_body: false,
            layout: None,
            compressed: None,
        }))
    }

    /// The same facts about a body that the node has compressed.
    pub(in crate::pingora) fn with_compressed(&self, compressed: Option<Compressed>) -> Self {
        Self(Arc::new(Facts {
            compressed: compressed.map(Box::new),
            ..Facts::clone(self)
        }))
    }

    /// The same facts about an object whose body is cut like that.
    pub(in crate::pingora) fn with_layout(&self, layout: Option<Layout>) -> Self {
        Self(Arc::new(Facts {
            layout,
            ..Facts::clone(self)
        }))
    }

    /// The same facts about an error without its body.
    pub(in crate::pingora) fn without_body(&self) -> Self {
        Self(Arc::new(Facts {
            has_no_body: true,
            ..Facts::clone(self)
        }))
    }

    /// The same facts about the page for a failure.
    pub(in crate::pingora) fn of_failure(&self, fault: OriginFault) -> Self {
        Self(Arc::new(Facts {
            fault: Some(Box::new(fault)),
            ..Facts::clone(self)
        }))
    }

    pub(in crate::pingora) fn of(meta: &CacheMeta) -> Option<Self> {
        meta.extensions().get::<Self>().cloned()
    }

    pub(super) fn held_off(&self, now: SystemTime, period: Duration) -> Self {
        Self(Arc::new(Facts {
            freshness: self.freshness.held_off(now, period),
            ..Facts::clone(self)
        }))
    }
}

impl std::ops::Deref for StoredFacts {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}
