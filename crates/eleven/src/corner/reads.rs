//! What a corner's next process reads as it starts, looked at before the one that runs is told to go.

use super::{Which, close_to_others, own_root, settings};
use crate::config::{self, Config};
use crate::keystore::{self, FileKeystore};
use crate::output::Failure;
use eleven_api::serve::Tls;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// Looks at the trust root, the keystore and its passphrase, the listener's certificate and key, and the upstream's API key.
///
/// # Errors
/// Where one of them would keep the next process from starting. What is not seen from here, the corner may see.
pub(crate) fn check_start(which: Which, config: &Config) -> Result<(), Failure> {
    close_to_others()?;
    let corner = which.of(config);
    if is_seen(&config.root) {
        own_root(config)?;
    }
    let store = corner.data.join(keystore::FILE);
    if is_seen(&corner.passphrase_file) && is_seen(&store) {
        let passphrase = keystore::passphrase(&corner.passphrase_file)?;
        FileKeystore::open(&store, which.name(), &passphrase)?;
    }
    next_tls(corner)?;
    if which == Which::Runtime && config.point.upstream_key_file.as_deref().is_some_and(is_seen) {
        settings(config)?;
    }
    Ok(())
}

/// The certificate and key with which a corner's next process listens, where it has some and they are seen from here.
///
/// # Errors
/// Where they can't be used.
pub(crate) fn next_tls(corner: &config::Corner) -> Result<Option<Tls>, Failure> {
    match &corner.tls {
        Some((certificate, key)) if is_seen(certificate) && is_seen(key) => {
            Tls::load(certificate, key).map(Some).map_err(Failure::new)
        }
        _ => Ok(None),
    }
}

/// Whether what a corner finds at a path is seen from here, also that there is nothing: a service manager may hand a file to the
/// corner alone, in a folder that is its alone.
pub(crate) fn is_seen(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => folder.is_dir(),
        opened => !opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied),
    }
}
