//! `eleven witness …`.

use super::Serve;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `witness`.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Run the witness in a folder.
    Serve(WitnessServe),
    /// The witness's own key.
    #[command(subcommand)]
    Key(WitnessKeyCommand),
    /// The logs that it watches.
    #[command(subcommand)]
    Log(WitnessLogCommand),
    /// Show what a running witness has seen of each log.
    Show {
        /// Where it listens, such as `http://127.0.0.1:1114`.
        url: String,
    },
    /// Print the checkpoints, signed by their log, that contradict each other.
    Evidence {
        /// Where it listens.
        url: String,
        /// A version of a domain's trust root: then what convicts that domain's ledger is written to `--out`, as a file that
        /// `eleven verify` checks.
        #[arg(long, value_name = "FILE", requires = "out")]
        root: Option<PathBuf>,
        /// The file to write; the first conviction is taken.
        #[arg(long, value_name = "FILE", requires = "root")]
        out: Option<PathBuf>,
    },
}

/// `witness serve`.
#[derive(Debug, Args)]
pub(crate) struct WitnessServe {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Address and port. Beyond loopback it is refused without a certificate and key.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1114")]
    pub(crate) listen: std::net::SocketAddr,
    /// PEM certificate chain of the listener.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// PEM private key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// File with the passphrase of the keystore; `keystore.pass` in the folder where it is not said.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Audit this ledger: cosign its trees only when every entry was replayed here, into a mirror in the folder. The
    /// witness then cosigns no other ledger.
    #[arg(long, value_name = "URL", requires = "root")]
    pub(crate) audit: Option<String>,
    /// A version of the audited domain's trust root, from where you trust it.
    #[arg(long, value_name = "FILE", requires = "audit")]
    pub(crate) root: Option<PathBuf>,
    /// A file with a registered auditor's secret, where the domain shows its entries to those only.
    #[arg(long, value_name = "FILE", requires = "audit")]
    pub(crate) secret_file: Option<PathBuf>,
    /// What every process is started with.
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// `witness key`.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessKeyCommand {
    /// Make the witness's folder, keystore and key, and print the public key.
    New {
        /// The folder; it must not hold a witness yet.
        dir: PathBuf,
        /// The witness's name, such as `witness.example/w1`: it stands in each of its lines.
        #[arg(long)]
        name: String,
        /// Say that it replays the ledger before it cosigns.
        #[arg(long)]
        audits: bool,
        /// File with the passphrase of the keystore; made in the folder where it is not said.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

/// `witness log`.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessLogCommand {
    /// Watch a log from the next start on: the ledger of a trust root, or any log by its verifier key.
    Add {
        /// The witness's folder.
        dir: PathBuf,
        /// The trust root of the domain whose ledger it is.
        #[arg(long, value_name = "FILE", required_unless_present = "vkey")]
        root: Option<PathBuf>,
        /// A verifier key as C2SP signed-note writes it, `<origin>+<id>+<key>`.
        #[arg(long, conflicts_with = "root")]
        vkey: Option<String>,
    },
    /// List the logs that are watched.
    List {
        /// The witness's folder.
        dir: PathBuf,
    },
}
