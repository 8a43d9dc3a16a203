//! Key-value stores: their data, from a file in the format in which CloudFront imports it (LE-474).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use fourfront_model::{KeyValueStore, StoreContents, StoreData};
use serde::Deserialize;

use super::{Context, files};
use crate::{
    cursor::shorten,
    raw::{Named, RawStore},
    report::{Report, Spanned},
    spelling::nearest,
};

/// All stores of a file, by name.
pub(crate) struct Stores {
    /// `None` for one with errors of its own; the name is known all the same.
    declared: Vec<(String, Option<Arc<KeyValueStore>>)>,
}

/// The largest file that is read: a full store and its punctuation.
const MAX_FILE: u64 = 16 << 20;

/// `{"data":[{"key":"..","value":".."}]}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    data: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    key: String,
    value: String,
}

impl Stores {
    pub(crate) fn lower(
        raw: Vec<Named<RawStore>>,
        deployed: &[Arc<KeyValueStore>],
        context: &Context<'_>,
    ) -> Self {
        let one = |named: Named<RawStore>| {
            let store = named
                .value
                .and_then(|raw| lower_one(&named.name, &raw, context));
            (named.name.value, store.map(Arc::new))
        };
        let mut declared: Vec<_> = raw.into_iter().map(one).collect();
        // Those of the file go before deployed ones of the same name: its functions mean them.
        declared.extend(
            deployed
                .iter()
                .map(|store| (store.name.clone(), Some(Arc::clone(store)))),
        );
        Self { declared }
    }

    /// The store a function names.
    pub(crate) fn find(
        &self,
        name: &Spanned<String>,
        report: &Report,
    ) -> Option<Arc<KeyValueStore>> {
        let mut declared = self.declared.iter();
        if let Some((_, store)) = declared.find(|(n, _)| *n == name.value) {
            return store.clone();
        }
        let near = nearest(&name.value, self.declared.iter().map(|(n, _)| n.as_str()));
        let help = near.map_or_else(
            || "declare it under `stores:`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("there is no store `{}`", shorten(&name.value));
        report.error_help(&name.at, message, help);
        None
    }

    /// The files that the data lies in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.declared
            .iter()
            .filter_map(|(_, store)| store.as_ref()?.path.clone())
    }
}

fn lower_one(
    name: &Spanned<String>,
    raw: &RawStore,
    context: &Context<'_>,
) -> Option<KeyValueStore> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    for text in [Some(name), raw.id.as_ref()].into_iter().flatten() {
        if text.value.is_empty() || text.value.len() > 64 || !text.value.chars().all(named) {
            let message = format!(
                "`{}` is not a name for a store: 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`",
                shorten(&text.value)
            );
            context.report.error(&text.at, message);
            return None;
        }
    }
    let file = raw.file.as_ref()?;
    let path = files::existing_file(file, context)?;
    let read = read(&path).and_then(|data| {
        KeyValueStore::check_quotas(&data.0, &context.quotas.stores).map_err(|e| e.to_string())?;
        Ok(data)
    });
    match read {
        Ok((entries, changed)) => Some(KeyValueStore {
            name: name.value.clone(),
            id: raw.id.as_ref().map_or(&name.value, |id| &id.value).clone(),
            path: Some(path),
            data: StoreData::new(StoreContents {
                entries,
                // A file does not tell everywhere when it was made; its last change is known.
                created: changed,
                last_updated: changed,
            }),
        }),
        Err(cause) => {
            let message = format!("`{}` is not the data of a store: {cause}", file.value);
            context.report.error(&file.at, message);
            None
        }
    }
}

type Data = (BTreeMap<String, String>, SystemTime);

fn read(path: &Path) -> Result<Data, String> {
    let meta = fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.len() > MAX_FILE {
        return Err(format!("it is longer than {MAX_FILE} bytes"));
    }
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    let import: Import = serde_json::from_slice(&bytes)
        .map_err(|e| format!("{e}; expected {{\"data\":[{{\"key\":\"a\",\"value\":\"b\"}}]}}"))?;
    let mut entries = BTreeMap::new();
    for Pair { key, value } in import.data {
        if let Some(other) = entries.insert(key.clone(), value) {
            let start: String = other.chars().take(32).collect();
            return Err(format!(
                "the key `{key}` stands in it twice, first with `{start}`"
            ));
        }
    }
    let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((entries, changed))
}
