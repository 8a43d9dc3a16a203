//! A name server that says what a test tells it to.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hickory_resolver::proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, SOA},
    },
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// A name server on UDP. It ends when it is dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Zone {
    names: HashMap<String, (Vec<IpAddr>, u32)>,
    mode: Mode,
    /// Questions, as in `a.test. AAAA`.
    asked: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Answers,
    Fails,
    Silent,
}

impl NameServer {
    /// Starts one that knows no name.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0")
            .await
            .expect("a free port on the loopback interface");
        let address = socket.local_addr().expect("a bound socket has an address");
        let zone: Arc<Mutex<Zone>> = Arc::default();
        let known = zone.clone();
        let task = tokio::spawn(async move {
            let mut packet = [0_u8; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let answer = Message::from_vec(&packet[..length])
                    .ok()
                    .and_then(|question| lock(&known).answer(&question));
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self {
            address,
            zone,
            task,
        }
    }

    /// The line of `node:` that has the node ask it.
    pub fn setting(&self) -> String {
        format!("resolver: {{ servers: ['{}'] }}", self.address)
    }

    /// From now on, a name has these addresses for so many seconds. Without any, it is there and has none.
    ///
    /// # Panics
    /// When one of them is no address.
    pub fn set(&self, name: &str, addresses: &[&str], seconds: u32) {
        let parse = |a: &&str| a.parse().expect("an address");
        let addresses = addresses.iter().map(parse).collect();
        let entry = (addresses, seconds);
        lock(&self.zone).names.insert(format!("{name}."), entry);
    }

    /// From now on, it says that it has failed.
    pub fn fails(&self) {
        lock(&self.zone).mode = Mode::Fails;
    }

    /// From now on, it says nothing.
    pub fn falls_silent(&self) {
        lock(&self.zone).mode = Mode::Silent;
    }

    /// What it was asked so far, as in `a.test. AAAA`.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.zone).asked.clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Zone {
    fn answer(&mut self, question: &Message) -> Option<Vec<u8>> {
        let query = question.queries().first()?.clone();
        let name = query.name().to_ascii().to_lowercase();
        self.asked.push(format!("{name} {}", query.query_type()));
        let mut answer = Message::new();
        answer
            .set_id(question.id())
            .set_message_type(MessageType::Response)
            .set_op_code(OpCode::Query)
            .set_recursion_desired(true)
            .set_recursion_available(true)
            .add_query(query.clone());
        match self.mode {
            Mode::Silent => return None,
            Mode::Fails => {
                answer.set_response_code(ResponseCode::ServFail);
                return answer.to_vec().ok();
            }
            Mode::Answers => {}
        }
        let known = self.names.get(&name);
        if known.is_none() {
            answer.set_response_code(ResponseCode::NXDomain);
        }
        for (address, seconds) in known
            .iter()
            .flat_map(|(all, ttl)| all.iter().map(move |a| (*a, *ttl)))
        {
            let data = match (address, query.query_type()) {
                (IpAddr::V4(v4), RecordType::A) => RData::A(A(v4)),
                (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA(AAAA(v6)),
                _ => continue,
            };
            answer.add_answer(Record::from_rdata(query.name().clone(), seconds, data));
        }
        if answer.answers().is_empty() {
            // What has no address has none for a second (RFC 2308).
            let zone = Name::from_ascii("test.").ok()?;
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 60, 60, 60, 1);
            answer.add_name_server(Record::from_rdata(zone, 1, RData::SOA(soa)));
        }
        answer.to_vec().ok()
    }
}
