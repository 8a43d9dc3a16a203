//! Functions' own connections through Node's modules: `http`, `https`, `net`, `tls`, `dns`.

use fourfront_conformance::{
    Authority, Edge, Origin, OriginTls, RawOrigin, Reply, Running, Seen, Turn, handler,
};
use serde_json::{Value, json};

/// What functions connect to: says what it was sent.
fn told(request: &Seen) -> Reply {
    let headers: Vec<_> = request.headers.iter().map(|(n, v)| json!([n, v])).collect();
    Reply::ok(
        json!({
            "method": request.method,
            "target": request.target,
            "headers": headers,
            "body": String::from_utf8_lossy(&request.body),
        })
        .to_string(),
    )
    .header("Set-Cookie", "a=1")
    .header("Set-Cookie", "b=2")
    .header("X-Twice", "1")
    .header("X-Twice", "2")
}

/// A node whose one function answers with what its code returns. `PORT` in the code is the server's.
async fn answering(server: &Origin, code: &str) -> (Running, Value) {
    answering_at(server.port(), code).await
}

async fn answering_at(port: u16, code: &str) -> (Running, Value) {
    let edge = Edge::new()
        .function(
            "f",
            &handler(&format!(
                "const result = await (async () => {{ {} }})();
                 return {{ status: '200', body: JSON.stringify(result) }};",
                code.replace("PORT", &port.to_string())
            )),
        )
        .behavior("on: { viewer-request: f }")
        .node("hooks: { local_egress: true }")
        .start_at("http://127.0.0.1:1")
        .await;
    let answer = edge.get("/").await;
    assert_eq!(
        answer.status,
        200,
        "{:?} {:?}",
        edge.record_of(&answer).await.error,
        edge.logs()
    );
    let value = serde_json::from_str(answer.text()).expect("JSON");
    (edge, value)
}

#[tokio::test(flavor = "multi_thread")]
async fn http_get_receives_an_answer() {
    // NC-18, NC-19, NC-20
    let server = Origin::start(told).await;
    let (_edge, got) = answering(
        &server,
        "const http = require('http');
         return new Promise((done, fail) => http.get('http://127.0.0.1:PORT/p?q=1', { headers: { 'X-Own': 'v' } }, (res) => {
             const parts = [];
             res.on('data', (d) => parts.push(d));
             res.on('end', () => done({
                 status: res.statusCode, message: res.statusMessage, version: res.httpVersion, complete: res.complete,
                 cookies: res.headers['set-cookie'], twice: res.headers['x-twice'],
                 raw: res.rawHeaders.filter((h) => /twice/i.test(h)),
                 told: JSON.parse(Buffer.concat(parts)),
             }));
         }).on('error', fail));",
    )
    .await;
    assert_eq!(got["status"], 200);
    assert_eq!(got["message"], "OK");
    assert_eq!(got["version"], "1.1");
    assert_eq!(got["complete"], true);
    assert_eq!(got["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(got["twice"], "1, 2");
    assert_eq!(got["told"]["target"], "/p?q=1");
    let sent = got["told"]["headers"].to_string().to_lowercase();
    assert!(sent.contains(r#"["x-own","v"]"#), "{sent}");
    assert!(
        sent.contains(&format!(r#"["host","127.0.0.1:{}"]"#, server.port())),
        "{sent}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn https_goes_by_the_authorities_it_is_given() {
    // NC-18, NC-22
    let authority = Authority::new();
    let server = Origin::start_tls(
        OriginTls::showing(&authority.certify(&["localhost"])),
        |_| Reply::ok("over tls"),
    )
    .await;
    let pem = Value::from(authority.pem());
    let (_edge, got) = answering(
        &server,
        &format!(
            "const https = require('https');
             const ask = (options) => new Promise((done) => https.get({{ host: 'localhost', port: PORT, path: '/', ...options }}, (res) => {{
                 const {{ authorized }} = res.socket;
                 let text = '';
                 res.setEncoding('utf8').on('data', (d) => text += d).on('end', () => done([res.statusCode, text, authorized]));
             }}).on('error', (e) => done(e.code)));
             return [await ask({{ ca: {pem} }}), await ask({{}}), await ask({{ rejectUnauthorized: false }})];"
        ),
    )
    .await;
    assert_eq!(
        got,
        json!([
            [200, "over tls", true],
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            [200, "over tls", false]
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_sent_with_a_length_or_in_chunks() {
    // NC-19
    let server = Origin::start(told).await;
    let (_edge, got) = answering(
        &server,
        "const http = require('http');
         const send = (options, write) => new Promise((done, fail) => {
             const req = http.request({ host: '127.0.0.1', port: PORT, method: 'POST', path: '/', ...options }, (res) => {
                 let text = '';
                 res.setEncoding('utf8').on('data', (d) => text += d).on('end', () => {
                     const told = JSON.parse(text);
                     const field = (n) => told.headers.find(([name]) => name.toLowerCase() === n)?.[1];
                     done([told.body, field('content-length') ?? null, field('transfer-encoding') ?? null]);
                 });
             }).on('error', fail);
             write(req);
         });
         return [
             await send({}, (r) => r.end('whole')),
             await send({}, (r) => { r.write('in '); r.write('parts'); r.end(); }),
             await send({ headers: { 'Content-Length': 3 } }, (r) => { r.write('ab'); r.end('c'); }),
             await send({ headers: { Expect: '100-continue' } }, (r) => { r.flushHeaders(); r.on('continue', () => r.end('expected')); }),
         ];",
    )
    .await;
    assert_eq!(
        got,
        json!([
            ["whole", "5", null],
            ["in parts", null, "chunked"],
            ["abc", "3", null],
            ["expected", null, "chunked"]
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_keep_connections_and_may_be_subclassed() {
    // NC-21
    let server = Origin::start(told).await;
    let (edge, got) = answering(
        &server,
        "const http = require('http');
         class Counting extends http.Agent {
             made = 0;
             createConnection(...args) { this.made++; return super.createConnection(...args); }
         }
         globalThis.agent ??= new Counting({ keepAlive: true, maxSockets: 2 });
         const ask = () => new Promise((done, fail) => http.get({ port: PORT, host: '127.0.0.1', agent }, (res) => {
             res.resume().on('end', () => done(res.statusCode));
         }).on('error', fail));
         const one = await ask();
         const many = await Promise.all([ask(), ask(), ask(), ask()]);
         return { one, many, made: agent.made };",
    )
    .await;
    assert_eq!(
        got,
        json!({ "one": 200, "many": [200, 200, 200, 200], "made": 2 })
    );
    // Idle connections may live into the next call (LE-315).
    let again: Value = serde_json::from_str(edge.get("/").await.text()).expect("JSON");
    assert_eq!(again["many"], json!([200, 200, 200, 200]));
    assert_eq!(server.count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_a_reused_connection_is_sent_again_only_when_that_is_safe() {
    // NC-21, NC-22
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = RawOrigin::start(|n| match n {
        2 => vec![Turn::Hold],
        4 | 6 => vec![Turn::Close],
        _ => vec![Turn::send(OK)],
    })
    .await;
    let (_edge, got) = answering_at(
        server.port(),
        "const http = require('http');
         const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
         const ask = (method, path, options) => new Promise((done) => {
             const events = [];
             const request = http.request({ host: '127.0.0.1', port: PORT, path, method, agent, ...options }, (res) => {
                 res.resume().on('end', () => events.push(res.statusCode));
             });
             request.on('timeout', () => { events.push('timeout'); request.destroy(); });
             request.on('error', (e) => events.push(e.code));
             request.on('close', () => done([events, request.reusedSocket]));
             request.end();
         });
         return {
             first: await ask('GET', '/1'),
             ended: await ask('GET', '/2', { timeout: 50 }),
             again: await ask('GET', '/3'),
             lost: await ask('POST', '/4'),
             after: await ask('GET', '/5'),
             safe: await ask('GET', '/6'),
         };",
    )
    .await;
    assert_eq!(
        got,
        json!({
            "first": [[200], false],
            "ended": [["timeout", "ECONNRESET"], true],
            "again": [[200], false],
            "lost": [["ECONNRESET"], true],
            "after": [[200], false],
            "safe": [[200], false],
        })
    );
    let sent: Vec<String> = server
        .heads()
        .iter()
        .filter_map(|h| h.split(" HTTP").next().map(str::to_owned))
        .collect();
    assert_eq!(
        sent,
        [
            "GET /1", "GET /2", "GET /3", "POST /4", "GET /5", "GET /6", "GET /6"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_nodes_codes() {
    // NC-22, NC-91, NC-96
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let server = Origin::start(told).await;
    let (_edge, got) = answering(
        &server,
        &"const http = require('http'), net = require('net'), dns = require('dns'), dgram = require('dgram'), tls = require('tls');
         const of = (e) => [e.code, e.syscall ?? null, e.hostname ?? e.address ?? null, e.port ?? null];
         const failing = (emitter) => new Promise((done) => emitter.on('error', (e) => done(of(e))));
         return {
             refused: await failing(http.get('http://127.0.0.1:CLOSED/')),
             unknown: await failing(http.get('http://nowhere.invalid/')),
             unix: await failing(http.get({ socketPath: '/var/run/docker.sock', path: '/' })),
             listen: await failing(net.createServer().listen(0)),
             serve: await failing(http.createServer().listen(0, '127.0.0.1')),
             secure: await failing(tls.createServer().listen(0)),
             bind: await failing(dgram.createSocket('udp4').bind(0)),
             lookup: await dns.promises.lookup('localhost', { family: 4 }),
             aborted: await failing(http.get({ host: '127.0.0.1', port: PORT, signal: AbortSignal.abort() })),
             plain: await failing(tls.connect({ host: '127.0.0.1', port: PORT })),
         };"
        .replace("CLOSED", &port.to_string()),
    )
    .await;
    assert_eq!(
        got,
        json!({
            "refused": ["ECONNREFUSED", "connect", "127.0.0.1", port],
            "unknown": ["ENOTFOUND", "getaddrinfo", "nowhere.invalid", null],
            "unix": ["EACCES", "connect", "/var/run/docker.sock", null],
            "listen": ["EACCES", "listen", "::", 0],
            "serve": ["EACCES", "listen", "127.0.0.1", 0],
            "secure": ["EACCES", "listen", "::", 0],
            "bind": ["EACCES", "bind", "0.0.0.0", 0],
            "lookup": { "address": "127.0.0.1", "family": 4 },
            "aborted": ["ABORT_ERR", null, null, null],
            "plain": ["ERR_SSL_WRONG_VERSION_NUMBER", null, null, null],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_limited_and_come_back() {
    // NC-98
    let server = Origin::start(told).await;
    let (_edge, got) = answering(
        &server,
        "const net = require('net');
         const open = () => new Promise((done) => {
             const socket = net.connect(PORT, '127.0.0.1');
             socket.on('connect', () => done(socket)).on('error', (e) => done(e.code));
         });
         const sockets = await Promise.all(Array.from({ length: 70 }, open));
         const codes = sockets.filter((s) => typeof s === 'string');
         for (const s of sockets) s.destroy?.();
         await new Promise((done) => setTimeout(done, 10));
         const again = await open();
         again.destroy();
         return [codes, typeof again, Object.getPrototypeOf(again._handle ?? {}).constructor === Object];",
    )
    .await;
    assert_eq!(got[0], json!(vec!["EMFILE"; 6]));
    assert_eq!(got[1], "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_carry_bytes_both_ways() {
    // NC-33
    let server = Origin::start(told).await;
    let (_edge, got) = answering(
        &server,
        "const net = require('net');
         const socket = net.connect({ port: PORT, host: '127.0.0.1' });
         socket.write('GET /raw HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n');
         let text = '';
         for await (const piece of socket.setEncoding('utf8')) text += piece;
         return [text.split('\\r\\n')[0], text.includes('/raw'), socket.bytesRead === Buffer.byteLength(text), net.isIP('::1')];",
    )
    .await;
    assert_eq!(got, json!(["HTTP/1.1 200 OK", true, true, 6]));
}
