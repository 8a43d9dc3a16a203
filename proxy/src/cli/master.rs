//! The key that stored secrets are sealed with, and where it is found (CP-430): what the setting names, else the variable, else
//! what the service manager hands over, else a file beside the store, which the first start makes.
//!
//! No backup holds it, for then whoever has the backup could sign as anybody. It is to be kept apart, once: it never changes.

use std::path::Path;

use fourfront_auth::MasterKey;
use fourfront_control::api::Keychain;

/// The variable.
const VARIABLE: &str = "FOURFRONT_MASTER_KEY";
/// What systemd's `LoadCredential=` is to call it.
const CREDENTIAL: &str = "fourfront.master-key";
/// The file beside the store.
const FILE: &str = "master.key";

/// The process's environment, or a test's.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A master key, and where it is from, for people.
pub(super) struct Found {
    pub(super) key: MasterKey,
    pub(super) origin: String,
}

/// The key for a store. One is made where there is none.
///
/// # Errors
/// What is wrong with it.
pub(super) fn for_store(
    data_dir: &Path,
    file: Option<&Path>,
    variables: Variables<'_>,
) -> Result<Found, String> {
    if let Some(found) = given(file, variables)? {
        return Ok(found);
    }
    let path = data_dir.join(FILE);
    let (key, _) = MasterKey::load_or_generate(&path).map_err(|e| e.to_string())?;
    let origin = path.display().to_string();
    Ok(Found { key, origin })
}

/// The key that a node would find for a store, if there is one already.
///
/// # Errors
/// What is wrong with it.
pub(super) fn there(
    data_dir: &Path,
    file: Option<&Path>,
    variables: Variables<'_>,
) -> Result<Option<Found>, String> {
    match given(file, variables)? {
        None if data_dir.join(FILE).exists() => for_store(data_dir, None, variables).map(Some),
        found => Ok(found),
    }
}

fn given(file: Option<&Path>, variables: Variables<'_>) -> Result<Option<Found>, String> {
    let of_file = |path: &Path| {
        let key = MasterKey::from_file(path).map_err(|e| e.to_string())?;
        let origin = path.display().to_string();
        Ok(Some(Found { key, origin }))
    };
    if let Some(file) = file {
        return of_file(file);
    }
    if let Some(value) = variables(VARIABLE) {
        let key = MasterKey::from_variable(VARIABLE, &value).map_err(|e| e.to_string())?;
        let origin = format!("the variable {VARIABLE}");
        return Ok(Some(Found { key, origin }));
    }
    match variables("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(CREDENTIAL)) {
        Some(handed) if handed.exists() => of_file(&handed),
        _ => Ok(None),
    }
}

/// What is to be said of keys that a master key does not open; nothing where it opens all.
///
/// # Errors
/// A key cannot be read.
pub(super) fn unopened(keys: &Keychain, origin: &str) -> Result<Option<String>, String> {
    let ids = keys.unopened().map_err(|e| e.message)?;
    Ok((!ids.is_empty()).then(|| {
        format!(
            "these keys were sealed with another master key than that of {origin}, and nobody can sign with them: {}. Put \
             the key that the store had in its place, or remove them and make new ones (`fourfront key`, by the socket)",
            ids.join(", ")
        )
    }))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs, time::SystemTime};

    use fourfront_auth::{Credential, Grants};
    use fourfront_store::{Options, Store};

    use super::*;

    fn hex(byte: u8) -> String {
        format!("{byte:02x}").repeat(32)
    }

    #[test]
    fn a_master_key_is_looked_for_in_four_places_in_their_order() {
        // CP-430
        let dir = tempfile::tempdir().unwrap();
        let (data, handed) = (dir.path().join("data"), dir.path().join("handed"));
        fs::create_dir_all(&data).unwrap();
        fs::create_dir_all(&handed).unwrap();
        let mut set = HashMap::new();
        let origin = |file: Option<&Path>, set: &HashMap<&str, String>| {
            let found = there(&data, file, &|name| set.get(name).cloned());
            found.map(|found| found.map(|found| found.origin))
        };
        assert_eq!(origin(None, &set), Ok(None));
        let path = |p: &Path| Ok(Some(p.display().to_string()));
        let made = for_store(&data, None, &|_| None).unwrap();
        assert_eq!(origin(None, &set), path(&data.join("master.key")));
        assert_eq!(made.origin, data.join("master.key").display().to_string());
        // A service manager that hands over other things hands over none of this.
        set.insert("CREDENTIALS_DIRECTORY", handed.display().to_string());
        assert_eq!(origin(None, &set), path(&data.join("master.key")));
        let credential = handed.join("fourfront.master-key");
        fs::write(&credential, hex(1)).unwrap();
        assert_eq!(origin(None, &set), path(&credential));
        set.insert("FOURFRONT_MASTER_KEY", hex(2));
        let variable = "the variable FOURFRONT_MASTER_KEY".to_owned();
        assert_eq!(origin(None, &set), Ok(Some(variable)));
        let file = dir.path().join("key");
        fs::write(&file, hex(3)).unwrap();
        assert_eq!(origin(Some(&file), &set), path(&file));
        // What is named and is none is a fault, and not a reason to look on.
        set.insert("FOURFRONT_MASTER_KEY", "secret".to_owned());
        assert!(
            origin(None, &set)
                .unwrap_err()
                .contains("FOURFRONT_MASTER_KEY")
        );
        assert!(origin(Some(&dir.path().join("gone")), &set).is_err());
    }

    #[test]
    fn keys_that_another_master_key_sealed_are_named() {
        // CP-430
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let chain = |byte| Keychain::new(store.clone(), MasterKey::from_bytes([byte; 32]));
        let key = Credential::generate(Grants::admin(), now).unwrap();
        chain(1).put(&key, now, None).unwrap();
        assert_eq!(unopened(&chain(1), "here"), Ok(None));
        let said = unopened(&chain(2), "here").unwrap().unwrap();
        assert!(
            said.contains(key.key_id.as_str()) && said.contains("here"),
            "{said}"
        );
    }
}
