//! Public keys and key groups: keys that can be used, groups that have some (CF-025, CF-070, CF-574).

use std::{
    collections::HashMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_model::{KeyGroup, PublicKey};
use fourfront_signed::key::read_public_key;

use super::{Context, files};
use crate::{
    cursor::shorten,
    raw::{Named, RawKeyGroup, RawPem, RawPublicKey},
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// The longest file that is read as a key, in bytes: CloudFront's own bound on an encoded key is far below it.
const MAX_FILE: u64 = 64 * 1024;

/// Something that is known by its name and its id. `None` for one with errors of its own.
struct Declared<T> {
    name: String,
    id: String,
    value: Option<Arc<T>>,
}

/// All key groups of a file.
pub(crate) struct KeyGroups {
    declared: Vec<Declared<KeyGroup>>,
    files: Vec<PathBuf>,
}

impl KeyGroups {
    pub(crate) fn lower(
        keys: Vec<Named<RawPublicKey>>,
        groups: Vec<Named<RawKeyGroup>>,
        context: &Context<'_>,
    ) -> Self {
        let report = context.report;
        let mut files = Vec::new();
        let mut ids = HashMap::new();
        let keys: Vec<_> = keys
            .into_iter()
            .map(|named| {
                let given = named.value.as_ref().and_then(|raw| raw.id.as_ref());
                let id = id(&named.name, given, "public key", &mut ids, report);
                let source = named.value.and_then(|raw| raw.source);
                let value = source
                    .and_then(|source| public_key(&named.name, &id, source, &mut files, context));
                Declared {
                    name: named.name.value,
                    value: value.map(Arc::new),
                    id,
                }
            })
            .collect();
        let mut ids = HashMap::new();
        let declared = groups
            .into_iter()
            .map(|named| {
                let given = named.value.as_ref().and_then(|raw| raw.id.as_ref());
                let id = id(&named.name, given, "key group", &mut ids, report);
                let listed = named.value.and_then(|raw| raw.keys);
                let value = listed.and_then(|l| key_group(&named.name, &id, &l, &keys, report));
                Declared {
                    name: named.name.value,
                    value: value.map(Arc::new),
                    id,
                }
            })
            .collect();
        Self { declared, files }
    }

    /// The groups that a behaviour names, by name or id (CF-070). `None` means that errors were reported.
    pub(crate) fn of_behavior(
        &self,
        named: &[Spanned<String>],
        report: &Report,
    ) -> Option<Vec<Arc<KeyGroup>>> {
        let find = |name: &Spanned<String>| {
            find(
                &self.declared,
                name,
                report,
                "TrustedKeyGroupDoesNotExist",
                |name| format!("there is no key group `{name}`"),
            )
        };
        // Every one of them, so that all errors are told.
        let found: Vec<_> = named.iter().map(find).collect();
        found.into_iter().collect()
    }

    /// The files that keys lie in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().cloned()
    }
}

/// Looks something up by name or id, and reports when there is no such thing.
fn find<T>(
    declared: &[Declared<T>],
    name: &Spanned<String>,
    report: &Report,
    code: &str,
    missing: impl Fn(&str) -> String,
) -> Option<Arc<T>> {
    // One thing's id may be another's name, which goes first.
    let by_name = declared.iter().find(|d| d.name == name.value);
    let known = by_name.or_else(|| declared.iter().find(|d| d.id == name.value));
    if let Some(known) = known {
        return known.value.clone();
    }
    let names = declared.iter().map(|d| d.name.as_str());
    let help = match nearest(&name.value, names.clone()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if declared.is_empty() => None,
        None => Some(format!(
            "known are {}",
            names.collect::<Vec<_>>().join(", ")
        )),
    };
    let message = format!("{code}: {}", missing(&shorten(&name.value)));
    report.error_help(&name.at, message, help);
    None
}

/// The id of a key or group: its name, unless given. Ids are sent in URLs and cookies, and two of a kind are never the same.
fn id(
    name: &Spanned<String>,
    given: Option<&Spanned<String>>,
    what: &str,
    taken: &mut HashMap<String, At>,
    report: &Report,
) -> String {
    let id = given.unwrap_or(name);
    let signs = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    for text in [Some(name), given].into_iter().flatten() {
        if !(1..=128).contains(&text.value.len()) || !text.value.bytes().all(signs) {
            let message = format!(
                "`{}` cannot be a {what}: 1 to 128 characters of A-Z, a-z, 0-9, `-` and `_`",
                shorten(&text.value)
            );
            report.error(&text.at, message);
        }
    }
    if let Some(first) = taken.get(&id.value) {
        let message = format!(
            "the id `{}` is already taken by the {what} on line {}",
            shorten(&id.value),
            first.line
        );
        report.error(&id.at, message);
    } else {
        taken.insert(id.value.clone(), id.at.clone());
    }
    id.value.clone()
}

fn public_key(
    name: &Spanned<String>,
    id: &str,
    source: RawPem,
    files: &mut Vec<PathBuf>,
    context: &Context<'_>,
) -> Option<PublicKey> {
    let report = context.report;
    let (pem, at) = match source {
        RawPem::Text(text) => (text.value.into_bytes(), text.at),
        RawPem::File(file) => {
            let path = files::existing_file(&file, context)?;
            files.push(path.clone());
            match read(&path) {
                Ok(bytes) => (bytes, file.at),
                Err(cause) => {
                    report.error(&file.at, format!("`{}` {cause}", file.value));
                    return None;
                }
            }
        }
    };
    match read_public_key(&pem) {
        Ok((kind, der)) => Some(PublicKey {
            id: id.to_owned(),
            name: name.value.clone(),
            kind,
            der,
        }),
        Err(fault) => {
            let message = format!(
                "InvalidArgument: the public key `{}` cannot be used: {fault} (CF-574)",
                shorten(&name.value)
            );
            report.error(&at, message);
            None
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("is longer than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

fn key_group(
    name: &Spanned<String>,
    id: &str,
    listed: &[Spanned<String>],
    keys: &[Declared<PublicKey>],
    report: &Report,
) -> Option<KeyGroup> {
    if listed.is_empty() {
        report.error_help(
            &name.at,
            "InvalidArgument: the key group has no public key",
            "list the names of public keys".to_owned(),
        );
        return None;
    }
    let find = |key: &Spanned<String>| {
        find(keys, key, report, "NoSuchPublicKey", |name| {
            format!("there is no public key `{name}`")
        })
    };
    let found: Vec<_> = listed.iter().map(find).collect();
    Some(KeyGroup {
        id: id.to_owned(),
        name: name.value.clone(),
        keys: found.into_iter().collect::<Option<_>>()?,
    })
}
