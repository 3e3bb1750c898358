//! Files that hold what nobody else may read: who finds one open to others does not start by it, or tells nobody.

use super::{Finding, bad, good, warn};
use crate::config::Config;
use crate::corner::{Which, is_seen};
use crate::disk::open_file;
use crate::keystore::{self, FileKeystore, KeystoreError};
use crate::operator::OperatorKey;
use crate::output::Failure;
use eleven_api::secret::OPERATOR;
use eleven_core::encoding::Value;
use eleven_core::reason::Reason;
use eleven_core::signature::{Signer, bytes32};
use std::io::ErrorKind;
use std::path::Path;

/// The passphrase of a corner's keystore and whether it opens that, its TLS key, and the upstream's API key.
pub(super) fn look(which: Which, config: &Config) -> Finding {
    let (what, corner) = (format!("{} secrets", which.name()), which.of(config));
    let upstream = config.point.upstream_key_file.as_deref().filter(|_| which == Which::Runtime);
    let tls = corner.tls.as_ref().map(|(_, key)| key.as_path());
    let (mut wrong, mut open) = (Vec::new(), Vec::new());
    match keystore::passphrase_from(&corner.passphrase_file, open_file(&corner.passphrase_file)) {
        Ok(passphrase) => {
            let store = corner.data.join(keystore::FILE);
            // What else is wrong with a keystore is told with its folder.
            if let Err(error @ KeystoreError::Sealed(_)) = FileKeystore::open(&store, which.name(), &passphrase) {
                wrong.push(format!("{error}; it is read from {}", corner.passphrase_file.display()));
            }
        }
        // What a service manager hands to the corner is nobody else's to see.
        Err(KeystoreError::Io(_, error)) if is_elsewhere(&error, &corner.passphrase_file, &corner.data) => {
            open.push(unseen(&corner.passphrase_file, &error));
        }
        Err(error) => wrong.push(error.to_string()),
    }
    for file in [tls, upstream].into_iter().flatten() {
        match keystore::is_open_to_others(file) {
            Ok(false) => {}
            Ok(true) => open.push(format!("others may read {}: chmod 600 it", file.display())),
            Err(error) if !is_seen(file) => open.push(unseen(file, &error)),
            Err(error) => wrong.push(format!("{}: {error}", file.display())),
        }
    }
    match (wrong.is_empty(), open.is_empty()) {
        (true, true) => good(what, "what nobody else may read, nobody else may read"),
        (true, false) => warn(what, open.join("; ")),
        (false, _) => bad(what, [wrong, open].concat().join("; ")),
    }
}

/// The key that signs the acts of admin commands, held against the registry where the authority shows that.
pub(super) fn operator(config: &Config, snapshot: Result<&Value, &Failure>) -> Finding {
    let (what, file) = ("operator key", &config.operator_key);
    match (open_file(file), OperatorKey::load(file)) {
        // An operator may have it elsewhere, and not show it to whoever runs a corner.
        (Err(error), _) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            warn(what, format!("{}: {error}: no command that signs an act goes from here", file.display()))
        }
        (_, Err(failure)) => bad(what, format!("{failure}: every command that signs an act fails")),
        (_, Ok(key)) => match unknown(&key.signer, snapshot) {
            Some(why) => bad(what, format!("{}: {why}", file.display())),
            None => good(what, format!("{} signs as {}", file.display(), key.identity)),
        },
    }
}

/// Why no act goes by this key, where the authority answers: the registry that it shows has no such operator, or it shows none to
/// whoever reads by it. That it does of a signature that is not of its time, too.
pub(super) fn unknown(key: &impl Signer, snapshot: Result<&Value, &Failure>) -> Option<String> {
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(refused) => {
            let why = "the authority does not take this key's signature: it is another domain's, or this clock is more than \
                       ten seconds off";
            return refused.is(Reason::IdentityUnauthenticated).then(|| why.to_owned());
        }
    };
    let rows = snapshot.get("sources").and_then(Value::as_array).unwrap_or_default().iter();
    let is_its = |mapping: &Value| {
        let text = |name: &str| mapping.get(name).and_then(Value::as_str);
        let public = text("public").and_then(bytes32);
        text("kind") == Some(OPERATOR) && text("kid") == Some(key.kid()) && public == Some(key.public())
    };
    let known = rows.filter_map(|row| row.get("mapping")).any(is_its);
    (!known).then(|| {
        let kid = key.kid();
        format!(
            "the registry has no operator by this key ({kid}), so that every act it signs is refused: is it another domain's, or was \
             the operator removed?"
        )
    })
}

fn unseen(file: &Path, error: &std::io::Error) -> String {
    format!("{} can't be looked at from here ({error})", file.display())
}

/// Whether a passphrase that can't be read may all the same be there for the corner.
fn is_elsewhere(error: &std::io::Error, file: &Path, data: &Path) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) && !file.starts_with(data)
}
