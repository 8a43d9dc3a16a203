//! Where code and imports come from that a call does not bring: directories and servers that stand for buckets (CP-075,
//! CP-156, CP-305).
//!
//! They are fetched before a call takes its turn among those that write, so that nobody waits for another one's server.

use std::{
    collections::BTreeMap, fs, io, path::Path, pin::pin, sync::atomic::AtomicU64, time::SystemTime,
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use fourfront_store::{BlobId, BlobWriter, Store, StoreError};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{
    ApiError,
    remote::{Outgoing, Remote},
    tx::ApiSettings,
};
use crate::{ArtifactServer, ArtifactSource};

/// The largest object that is taken, in bytes: the largest zip of a function.
const MOST_ARTIFACT: u64 = 52_428_800;
/// The longest error that is read, in bytes.
const MOST_ERROR: usize = 16 << 10;
/// What S3 leaves as it is in a path, but for the slash.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const KEPT_IN_KEY: &AsciiSet = &KEPT.remove(b'/');

/// An object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// `S3ObjectVersion`, where one is asked for.
    pub(crate) version: Option<String>,
}

/// Code that came beside a call's input.
#[derive(Debug)]
pub(crate) enum Upload {
    /// It is being written, and kept if it is good.
    New(BlobWriter),
    /// It was there before.
    Kept(BlobId),
}

impl Upload {
    /// What it consists of, and of how many bytes.
    pub(crate) fn reader(&self, store: &Store) -> Result<(fs::File, u64), ApiError> {
        match self {
            Self::New(writer) => Ok((writer.reader()?, writer.size())),
            Self::Kept(id) => {
                let gone = || ApiError::internal(format!("the blob {id} is gone"));
                let file = store.blob_open(id)?.ok_or_else(gone)?;
                let size = file.metadata().map_or(0, |of| of.len());
                Ok((file, size))
            }
        }
    }

    /// Keeps it.
    pub(crate) fn keep(self, store: &Store) -> Result<BlobId, StoreError> {
        match self {
            Self::New(writer) => writer.finish(),
            Self::Kept(id) => store.blob_keep(&id).map(|_| id),
        }
    }
}

/// Objects that a call is about, each fetched or why not.
pub(crate) type Objects = BTreeMap<Object, Result<BlobId, String>>;

impl Object {
    /// The object that `Code` of `CreateFunction`, or `UpdateFunctionCode` itself, names (CP-075).
    pub(crate) fn of_code(code: &Value) -> Option<Self> {
        let text = |member: &str| code.get(member).and_then(Value::as_str);
        let version = text("S3ObjectVersion").filter(|version| !version.is_empty());
        Some(Self {
            bucket: text("S3Bucket")?.to_owned(),
            key: text("S3Key").unwrap_or_default().to_owned(),
            version: version.map(str::to_owned),
        })
    }

    /// The object that an ARN names (CP-156).
    pub(crate) fn of_arn(arn: &str) -> Option<Self> {
        let (bucket, key) = arn.strip_prefix("arn:aws:s3:::")?.split_once('/')?;
        Some(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
        })
    }

    /// Those that an operation's input names.
    pub(crate) fn of_call(operation: &str, input: &Value) -> Option<Self> {
        match operation {
            "CreateFunction" => Self::of_code(&input["Code"]),
            "UpdateFunctionCode" => Self::of_code(input),
            "CreateKeyValueStore" => Self::of_arn(input["ImportSource"]["SourceARN"].as_str()?),
            _ => None,
        }
    }

    /// Fetches it. Waits for its server.
    pub(crate) fn fetch(
        &self,
        settings: &ApiSettings,
        store: &Store,
        now: SystemTime,
    ) -> Result<BlobId, String> {
        let mut writer = store.blob_writer().map_err(|e| e.to_string())?;
        let bucket = &self.bucket;
        match settings.artifacts.get(bucket) {
            None => {
                return Err(format!(
                    "nothing stands for the bucket: set `node.artifacts.{bucket}`"
                ));
            }
            Some(ArtifactSource::Dir(directory)) => self.copy(directory, &mut writer)?,
            Some(ArtifactSource::Server(server)) => {
                let fetching = self.get(&settings.remote, server, now, &mut writer);
                waited(fetching).map_err(|why| {
                    format!(
                        "{}: {why} (node.artifacts.{bucket})",
                        server.endpoint.authority()
                    )
                })?;
            }
        }
        writer.finish().map_err(|e| e.to_string())
    }

    /// From a directory.
    fn copy(&self, directory: &Path, writer: &mut BlobWriter) -> Result<(), String> {
        if self
            .version
            .as_ref()
            .is_some_and(|version| version != "null")
        {
            return Err("a directory keeps no versions of its files".to_owned());
        }
        if self
            .key
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err("the key is no path in it".to_owned());
        }
        let path = directory.join(&self.key);
        let said = |e: io::Error| format!("{}: {e}", path.display());
        let mut file = fs::File::open(&path).map_err(said)?;
        let size = file.metadata().map_err(said)?.len();
        if size > MOST_ARTIFACT {
            return Err(too_large(size));
        }
        // It may be growing.
        let mut file = io::Read::take(&mut file, MOST_ARTIFACT);
        io::copy(&mut file, writer).map_err(said).map(|_| ())
    }

    /// From a server that speaks S3's protocol.
    async fn get(
        &self,
        remote: &Remote,
        server: &ArtifactServer,
        now: SystemTime,
        writer: &mut BlobWriter,
    ) -> Result<(), String> {
        let request = self.request(server, now)?;
        let answer = remote.send(request, &AtomicU64::new(0)).await;
        let answer = answer.map_err(|e| e.to_string())?;
        let status = answer.status();
        if status != StatusCode::OK {
            let region = answer.headers().get("x-amz-bucket-region").cloned();
            let body = Limited::new(answer.into_body(), MOST_ERROR).collect().await;
            let body = body.map(|b| b.to_bytes()).unwrap_or_default();
            let mut why = refusal(status, &String::from_utf8_lossy(&body));
            if let Some(region) = region.as_ref().and_then(|r| r.to_str().ok())
                && region != server.region
            {
                why.push_str(&format!("; the bucket is in the region {region}"));
            }
            return Err(why);
        }
        let declared = answer.headers().get(header::CONTENT_LENGTH);
        let declared: Option<u64> = declared.and_then(|d| d.to_str().ok()?.parse().ok());
        if let Some(size) = declared.filter(|size| *size > MOST_ARTIFACT) {
            return Err(too_large(size));
        }
        let mut body = pin!(answer.into_body());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| format!("the object breaks off: {e}"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            writer.write(&data).map_err(|e| e.to_string())?;
            if writer.size() > MOST_ARTIFACT {
                return Err(too_large(writer.size()));
            }
        }
        Ok(())
    }

    /// `GetObject`, signed where there is what to sign it with.
    fn request(
        &self,
        server: &ArtifactServer,
        now: SystemTime,
    ) -> Result<Request<Outgoing>, String> {
        // Some clients and servers resolve these, and so ask for an object of another bucket.
        if self.key.split('/').any(|part| part == "." || part == "..") {
            return Err("the key has `.` or `..` between its slashes".to_owned());
        }
        let mut target = String::new();
        if !server.endpoint.bucket.is_empty() {
            target.push('/');
            target.push_str(&server.endpoint.bucket);
        }
        target.push('/');
        target.extend(utf8_percent_encode(&self.key, KEPT_IN_KEY));
        if let Some(version) = &self.version {
            target.push_str("?versionId=");
            target.extend(utf8_percent_encode(version, KEPT));
        }
        let endpoint = &server.endpoint;
        let scheme = endpoint.protocol.as_str();
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::get(format!("{scheme}://{}{target}", endpoint.authority()))
            .header(header::HOST, &server.host)
            .body(body)
            .map_err(|e| e.to_string())?;
        if let Some(keys) = &server.credentials {
            let identity = Credentials::new(
                &keys.access_key_id,
                &keys.secret_access_key,
                keys.session_token.clone(),
                None,
                "fourfront",
            )
            .into();
            let mut settings = SigningSettings::default();
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region(&server.region)
                .name("s3")
                .time(now)
                .settings(settings)
                .build()
                .map_err(|e| e.to_string())?;
            let url = format!("https://{}{target}", server.host);
            let fields = std::iter::once(("host", server.host.as_str()));
            let signable = SignableRequest::new("GET", url, fields, SignableBody::Bytes(&[]));
            let signed = signable
                .and_then(|signable| sign(signable, &params.into()))
                .map_err(|e| e.to_string())?;
            let (instructions, _) = signed.into_parts();
            for (name, value) in instructions.headers() {
                let name = HeaderName::try_from(name).map_err(|e| e.to_string())?;
                let value = HeaderValue::try_from(value).map_err(|e| e.to_string())?;
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

fn too_large(size: u64) -> String {
    format!("it has {size} bytes, and at most {MOST_ARTIFACT} are taken")
}

/// A refusal in S3's words, where it has any.
fn refusal(status: StatusCode, body: &str) -> String {
    let between = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once("</")?;
        // It goes into an answer and into logs.
        Some(
            text.chars()
                .filter(|c| !c.is_control())
                .take(512)
                .collect::<String>(),
        )
    };
    match (between("Code"), between("Message")) {
        (Some(code), Some(message)) => {
            format!("S3 Error Code: {code}. S3 Error Message: {message}")
        }
        _ => format!("it answers {status}"),
    }
}

/// Waits for another server, on a thread that may wait.
fn waited<T>(fetching: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.block_on(fetching),
        Err(_) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?
            .block_on(fetching),
    }
}
