//! What two corners must not have in common.

use super::{Config, ConfigError, Corner, Written};
use std::path::{Component, Path, PathBuf};

impl Config {
    /// Each corner has a folder, a URL and secrets of its own.
    pub(super) fn check_apart(&self, written: &Written) -> Result<(), ConfigError> {
        self.check_urls(written)?;
        self.check_folders(written)?;
        self.check_files(written)
    }

    /// Each corner has an address of its own, as it must where all three run on one machine: on three, `0.0.0.0:443` may be
    /// said of each.
    ///
    /// # Errors
    /// Where two would listen on one.
    pub(crate) fn check_listeners(&self) -> Result<(), ConfigError> {
        for (n, (name, corner)) in self.corners().into_iter().enumerate() {
            for (other, its) in self.corners().into_iter().skip(n + 1) {
                let (at, there) = (corner.listen, its.listen);
                let all = at.ip().is_unspecified() || there.ip().is_unspecified();
                if at.port() != 0 && at.port() == there.port() && (all || at.ip() == there.ip()) {
                    let what = format!(
                        "{name} and {other} listen on one address, {at} and {there}: give `{other}.listen` another port"
                    );
                    return Err(ConfigError { file: self.file.clone(), line: None, what });
                }
            }
        }
        Ok(())
    }

    const fn corners(&self) -> [(&'static str, &Corner); 3] {
        [("authority", &self.authority), ("ledger", &self.ledger), ("runtime", &self.runtime)]
    }

    /// URLs: what is sent to one corner must not reach another.
    fn check_urls(&self, written: &Written) -> Result<(), ConfigError> {
        for (n, (name, corner)) in self.corners().into_iter().enumerate() {
            for (other, its) in self.corners().into_iter().skip(n + 1) {
                if corner.url == its.url {
                    let url = &corner.url;
                    let what =
                        format!("{name} and {other} are both reached at {url}: give each corner its own address");
                    let key = ["url", "listen"].map(|key| [name, other].map(|corner| format!("{corner}.{key}")));
                    let key = key.into_iter().flatten().find(|key| written.stands(key));
                    return Err(written.refuse(key.as_deref().unwrap_or_default(), what));
                }
            }
        }
        Ok(())
    }

    /// Folders: no two corners share one, and none lies in another's; each would hold what the other must not see.
    fn check_folders(&self, written: &Written) -> Result<(), ConfigError> {
        let corners = self.corners();
        for (name, corner) in corners {
            let data = spelled_out(&corner.data);
            for (other, its) in corners {
                if name != other && data.starts_with(spelled_out(&its.data)) {
                    let what = format!("the folder of {name} lies in that of {other}: give each corner its own folder");
                    return Err(written.refuse(&format!("{name}.data"), what));
                }
            }
            let Some(archive) = self.archive.as_deref().map(spelled_out) else { continue };
            // Where the ledger may write to its archive it may write to all beneath.
            if meet(&archive, &data) {
                let what = format!("{} and the folder of {name} lie in each other: give it its own", archive.display());
                return Err(written.refuse("ledger.archive", what));
            }
        }
        if self.archive_every.is_some() && self.archive.is_none() {
            let what = "content is moved to an archive: set `ledger.archive` to its folder".to_owned();
            return Err(written.refuse("ledger.archive_every", what));
        }
        Ok(())
    }

    /// Files: what a corner reads lies in no other's folder, nor is it a folder around one. A corner is let to what is named here
    /// when it is confined, and would be let into that folder by it. Nor does one hold the key by which an operator acts.
    fn check_files(&self, written: &Written) -> Result<(), ConfigError> {
        for (name, corner) in self.corners() {
            let tls =
                corner.tls.iter().flat_map(|(certificate, key)| [("tls_certificate", certificate), ("tls_key", key)]);
            let own = tls.chain([("passphrase_file", &corner.passphrase_file)]);
            let upstream = self.point.upstream_key_file.iter().map(|file| ("gateway.upstream_key_file", file));
            for (key, file) in own.chain(upstream.filter(|_| name == "runtime")) {
                let theirs = |(other, its): &(&str, &Corner)| *other != name && meet(file, &its.data);
                if let Some((other, _)) = self.corners().into_iter().find(theirs) {
                    let what =
                        format!("{} is not {name}'s own, for the folder of {other}: name another", file.display());
                    return Err(written.refuse(&format!("{name}.{key}"), what));
                }
            }
            if spelled_out(&corner.data).starts_with(spelled_out(&self.root)) {
                let what = format!("{} holds the folder of {name} and is no trust root", self.root.display());
                return Err(written.refuse("domain.root", what));
            }
        }
        // On a machine with one corner, whose folder is the configuration's, the preset one is in it: nobody acts there.
        let is_meant = written.stands("operator.key") || self.operator_key.exists();
        let held = self.operators_key_held().filter(|_| is_meant);
        held.map_or(Ok(()), |what| Err(written.refuse("operator.key", what)))
    }

    /// The operator's key is in no corner's folder, as it must be where it is made.
    ///
    /// # Errors
    /// Where a corner would hold it.
    pub(crate) fn check_operators_key(&self) -> Result<(), ConfigError> {
        let refuse = |what| Err(ConfigError { file: self.file.clone(), line: None, what });
        self.operators_key_held().map_or(Ok(()), refuse)
    }

    /// That a corner holds the key by which an operator acts, where its path leads there.
    fn operators_key_held(&self) -> Option<String> {
        let holds = |(_, corner): &(&str, &Corner)| meet(&self.operator_key, &corner.data);
        let (name, _) = self.corners().into_iter().find(holds)?;
        Some(format!("{name} would hold the operator's key in its folder: keep it elsewhere"))
    }
}

/// Whether one of two paths leads into the other.
fn meet(one: &Path, other: &Path) -> bool {
    let (one, other) = (spelled_out(one), spelled_out(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// A path from the root on, without `.` and `..`: two spellings of one folder are one.
fn spelled_out(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
