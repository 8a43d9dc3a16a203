//! Where a try connects to: the addresses of a name (CF-398), or the servers of a pool (CF-808).

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use fourfront_hooks::{event::OriginObject, validate::refused_address};
use fourfront_model::EventType;
use fourfront_origin::{
    OriginFault,
    attempt::Attempt,
    pool::Pool,
    retry::{Left, Retry},
};

use super::{
    Edge,
    context::{Ctx, Record},
    deliver::internal,
    hook,
};
use crate::flow::{Fault, Fetch, OriginChoice, OriginRequest, Place};

impl Edge {
    /// The next place of the try under way, or the first of a new one, and how long connecting to it may take. A try that began at
    /// `began` may connect for `timeout`, finding addresses included (CF-390).
    ///
    /// # Errors
    /// When there is none, and when a function named one that it may not.
    pub(super) async fn next_place(
        &self,
        ctx: &mut Ctx,
        (host, port): (&str, u16),
        timeout: Duration,
        began: Instant,
    ) -> Result<(Place, Duration), Fault> {
        ctx.lease = None;
        let fetch = ctx.flow.fetch_mut().map_err(|e| internal(&e))?;
        let route = fetch.exchange.route.clone();
        let pool = route.snapshot().origins().pool(fetch.goes_to());
        if fetch.attempt.is_none() {
            let places = match pool {
                Some(pool) => servers(pool, fetch, timeout, began).await?,
                None => {
                    let kinds = fetch.goes_to().ip_address_type;
                    let found = self.resolver().resolve(host, port, kinds, timeout, began);
                    let found = found.await?;
                    ctx.record.dns = Some(began.elapsed());
                    self.check_egress(fetch, &found, &mut ctx.record)?;
                    let places = self.node().origins().put_shunned_last(found, began);
                    places.into_iter().map(Place::from).collect()
                }
            };
            fetch.attempt = Some(Attempt::new(places, began, timeout));
        }
        let next = fetch.attempt.as_mut().and_then(|a| a.next(Instant::now()));
        let Some((place, share)) = next else {
            return Err(OriginFault::ConnectTimeout.into());
        };
        fetch.at = Some(place.address);
        ctx.lease = pool
            .zip(place.server.clone())
            .map(|(pool, server)| pool.enter(server));
        // No more than is left for the whole fetch (CF-394).
        Ok((place, share.min(timeout)))
    }

    /// The members of the pool must be found before the origin-request function runs, as a name must (LE-038).
    pub(super) async fn find_pool(&self, state: &OriginRequest) -> Result<(), OriginFault> {
        let origin = &state.origin;
        let Some(pool) = state.exchange.route.snapshot().origins().pool(origin) else {
            return Ok(());
        };
        let now = Instant::now();
        let timeout = origin.connection_timeout;
        match pool.choose(&[], None, timeout, now).await {
            Err(fault @ (OriginFault::Dns { .. } | OriginFault::ConnectTimeout)) => Err(fault),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// An origin that a function named is looked at where it is: a name that leads into the machine gains nothing
    /// (LE-346).
    fn check_egress(
        &self,
        fetch: &Fetch,
        addresses: &[SocketAddr],
        record: &mut Record,
    ) -> Result<(), Fault> {
        let configured_host = match fetch.choice {
            _ if fetch.shield.is_some() => return Ok(()),
            OriginChoice::Configured => return Ok(()),
            OriginChoice::KnownHost => true,
            OriginChoice::Foreign => false,
        };
        let egress = self.node().hooks().egress();
        for address in addresses {
            let Err(why) = egress.judge(*address, configured_host) else {
                continue;
            };
            let named = OriginObject::from(fetch.origin.as_ref());
            let violation = refused_address(&named, *address, why);
            let route = &fetch.exchange.route;
            let event = match route.hook(EventType::OriginRequest) {
                Some(_) => EventType::OriginRequest,
                // A CloudFront Function named it.
                None => EventType::ViewerRequest,
            };
            return Err(hook::refused_late(
                self.node(),
                &fetch.exchange,
                event,
                violation,
                record,
            ));
        }
        Ok(())
    }

    /// Takes note of what a failed try says of where it went, and of how the fetch goes on.
    pub(super) fn place_failed(&self, ctx: &mut Ctx, fault: &OriginFault, retry: Retry) {
        let now = Instant::now();
        let Ok(fetch) = ctx.flow.fetch_mut() else {
            return;
        };
        // Without a try under way, the fault is not of any place: none was found to go to.
        let counts =
            fetch.attempt.is_some() && !matches!(retry, Retry::Uncounted | Retry::OtherName);
        if counts {
            match (&ctx.lease, fetch.at) {
                (Some(lease), _) if is_of_server(fault) => lease.failed(now),
                (None, Some(at)) if is_of_address(fault) => self.node().origins().shun(at, now),
                _ => {}
            }
        }
        match (retry, &mut fetch.attempt) {
            (Retry::OtherName, Some(attempt)) => attempt.repeat(),
            (Retry::NextAddress, _) => {}
            _ => fetch.attempt = None,
        }
        if retry == Retry::Uncounted {
            // An idle connection that was closed says nothing of its server, which may be chosen again (CF-397).
            fetch.at = None;
        }
    }
}

impl Ctx {
    /// An answer has come from where the request went, whatever it is.
    pub(super) fn answered_by_server(&self) {
        if let Some(lease) = &self.lease {
            lease.succeeded(Instant::now());
        }
    }

    /// Where the try under way can go on.
    pub(super) fn left(&self) -> Left {
        let Ok(fetch) = self.flow.fetch() else {
            return Left::Nothing;
        };
        let goes_on = fetch
            .attempt
            .as_ref()
            .is_some_and(|a| a.goes_on(Instant::now()));
        match (goes_on, &self.lease) {
            (false, _) => Left::Nothing,
            (true, None) => Left::Address,
            (true, Some(_)) => Left::Server,
        }
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            server: None,
        }
    }
}

/// Those that a request may go to, the best first.
async fn servers(
    pool: &Arc<Pool>,
    fetch: &Fetch,
    timeout: Duration,
    now: Instant,
) -> Result<Vec<Place>, OriginFault> {
    let key = fetch.request.target();
    let chosen = pool.choose(&key, fetch.at, timeout, now).await?;
    let place = |server: Arc<fourfront_origin::pool::Server>| Place {
        address: server.address(),
        server: Some(server),
    };
    Ok(chosen.into_iter().map(place).collect())
}

/// Whether it speaks against a server that a request to it ended so.
const fn is_of_server(fault: &OriginFault) -> bool {
    matches!(
        fault,
        OriginFault::Connect { .. }
            | OriginFault::ConnectTimeout
            | OriginFault::Tls { .. }
            | OriginFault::CertificateName { .. }
            | OriginFault::Write { .. }
            | OriginFault::Closed
            | OriginFault::ReadTimeout
            | OriginFault::InvalidResponse { .. }
    )
}

/// Whether nobody is at an address.
const fn is_of_address(fault: &OriginFault) -> bool {
    matches!(
        fault,
        OriginFault::Connect { .. } | OriginFault::ConnectTimeout
    )
}
