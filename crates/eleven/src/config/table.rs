//! Every key of `eleven.toml`: the one place that the reader, the sample that `init` writes and `docs/config.md` are made
//! of.

use super::form::Form;
use eleven_core::limits;

/// A key, its form and what it is for.
pub(crate) struct Key {
    /// Section and name, joined by a dot.
    pub(crate) path: &'static str,
    /// What may stand there.
    pub(crate) form: Form,
    /// What holds where it does not stand.
    pub(crate) preset: Preset,
    /// What it is for.
    pub(crate) doc: &'static str,
}

/// What holds where a key does not stand in the file.
pub(crate) enum Preset {
    /// Nothing: it must stand there. The text is an example.
    Required(&'static str),
    /// Nothing, or what the words say.
    Unset(&'static str),
    /// A text.
    Text(&'static str),
    /// A number.
    Int(i64),
    /// A list of texts.
    List(&'static [&'static str]),
}

/// A section and what it is for.
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) doc: &'static str,
}

/// The sections, in the order in which they are written.
pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "domain", doc: "What the three corners share: the domain they govern." },
    Section { name: "authority", doc: "The corner that decides: identity, policy, authorization, registry, admin." },
    Section { name: "ledger", doc: "The corner that proves: audit, lineage, proof." },
    Section { name: "runtime", doc: "The corner that enforces: one enforcement point." },
    Section {
        name: "runtime.gateway",
        doc: "What the enforcement point stands in front of: an OpenAI-compatible upstream.",
    },
    Section { name: "operator", doc: "Who signs the acts of `policy publish`, `artifact revoke` and so on." },
];

const fn key(path: &'static str, form: Form, preset: Preset, doc: &'static str) -> Key {
    Key { path, form, preset, doc }
}

const SECONDS_FRESH: Form = Form::Int { least: limits::MIN_FRESH, most: limits::MAX_FRESH };
const SECONDS_BOUND: Form =
    Form::Int { least: limits::MIN_AUDIT_BOUND_MS / 1000, most: limits::MAX_AUDIT_BOUND_MS / 1000 };

const LISTEN: &str = "Address and port. Beyond loopback it is refused without `tls_certificate` and `tls_key`.";
const DATA: &str = "The corner's own folder. It is locked by the corner, and no other corner may open it: no file of another's, \
                    and no operator's key, lies in it.";
const PASSPHRASE: &str = "File with the passphrase of the keystore, readable by its owner only. A passphrase that lies beside \
                          the keystore is for development; in production put it where only this corner's user reads it.";
const CERTIFICATE: &str = "PEM certificate chain of the listener. Whoever calls it has to trust it: by the machine's \
                           certificate authorities, or by the file that SSL_CERT_FILE names in their place.";
const TLS_KEY: &str = "PEM private key of the listener's certificate.";
const URL: &str = "How the other corners reach this one.";
const RUNTIME_URL: &str = "How commands of this configuration reach this one: `eleven up`, `doctor`, `runtime restart`, `disclosure`. \
                           Where its certificate is for a name, `https://` and that name, with the port.";
const URL_PRESET: Preset = Preset::Unset("made from `listen`");
const PASSPHRASE_PRESET: Preset = Preset::Unset("`keystore.pass` in the folder `data`");
const NO_TLS: Preset = Preset::Unset("no TLS");

/// The keys, section by section.
pub(crate) const KEYS: &[Key] = &[
    key("domain.name", Form::Domain, Preset::Required("11-11"), "The domain's name. Fixed at `init`."),
    key(
        "domain.env",
        Form::Segment,
        Preset::Text("dev"),
        "The environment; the authority is `governance://<name>/authority/<env>`. Fixed at `init`.",
    ),
    key(
        "domain.fresh",
        SECONDS_FRESH,
        Preset::Int(limits::DEFAULT_FRESH),
        "Seconds after which a registry view is too old to admit anything by. Written into the genesis entry; a later \
         change here has no effect.",
    ),
    key("domain.root", Form::Path, Preset::Text("root.json"), "The domain's trust root: what verifiers pin. Public."),
    key("authority.listen", Form::Address, Preset::Text("127.0.0.1:1112"), LISTEN),
    key("authority.url", Form::Url, URL_PRESET, URL),
    key("authority.data", Form::Path, Preset::Text("authority"), DATA),
    key("authority.passphrase_file", Form::Path, PASSPHRASE_PRESET, PASSPHRASE),
    key("authority.tls_certificate", Form::Path, NO_TLS, CERTIFICATE),
    key("authority.tls_key", Form::Path, NO_TLS, TLS_KEY),
    key("ledger.listen", Form::Address, Preset::Text("127.0.0.1:1111"), LISTEN),
    key("ledger.url", Form::Url, URL_PRESET, URL),
    key("ledger.data", Form::Path, Preset::Text("ledger"), DATA),
    key("ledger.passphrase_file", Form::Path, PASSPHRASE_PRESET, PASSPHRASE),
    key("ledger.tls_certificate", Form::Path, NO_TLS, CERTIFICATE),
    key("ledger.tls_key", Form::Path, NO_TLS, TLS_KEY),
    key(
        "ledger.head_interval",
        Form::Int { least: 50, most: 1000 },
        Preset::Int(250),
        "Milliseconds between signed heads while entries arrive.",
    ),
    key(
        "ledger.head_interval_busy",
        Form::Int { least: 50, most: 1000 },
        Preset::Int(250),
        "Milliseconds between signed heads under load.",
    ),
    key(
        "ledger.head_busy_rate",
        Form::Int { least: 1, most: 1_000_000 },
        Preset::Int(100),
        "Entries a second from which on there is load.",
    ),
    key(
        "ledger.witnesses",
        Form::Urls { most: 16 },
        Preset::List(&[]),
        "Where the witnesses of the trust root are asked to cosign each head. Their keys stand in the root; an answer of \
         anybody else counts for nothing.",
    ),
    key(
        "ledger.witness_deadline",
        Form::Int { least: 50, most: 1000 },
        Preset::Int(500),
        "Milliseconds that a head waits for its witnesses before the next one is sealed. It is shown as D3 from the start; a \
         cosignature that comes later still raises it.",
    ),
    key(
        "ledger.archive",
        Form::Path,
        Preset::Unset("content that was archived is not served"),
        "Folder to which content past its retention was moved, by the ledger itself or by `eleven ledger archive`. Without \
         `archive_every` it is only read.",
    ),
    key(
        "ledger.archive_every",
        Form::Int { least: 1, most: 8760 },
        Preset::Unset("content is moved by `eleven ledger archive` alone"),
        "Hours after which the running ledger again moves content past its retention, and not held, to `archive`; the first \
         time at its start, or so long after it, a day at most, where the archive lacks pieces that were moved.",
    ),
    key("runtime.listen", Form::Address, Preset::Text("127.0.0.1:1113"), LISTEN),
    key("runtime.url", Form::Url, URL_PRESET, RUNTIME_URL),
    key("runtime.data", Form::Path, Preset::Text("runtime"), DATA),
    key("runtime.passphrase_file", Form::Path, PASSPHRASE_PRESET, PASSPHRASE),
    key("runtime.tls_certificate", Form::Path, NO_TLS, CERTIFICATE),
    key("runtime.tls_key", Form::Path, NO_TLS, TLS_KEY),
    key(
        "runtime.point",
        Form::Point,
        Preset::Required("host://localhost/gateway#gw-0"),
        "The enforcement point's name, `<runtime>#<point>`. Registered at `init`. A runtime has one point: another gateway is \
         a runtime of its own.",
    ),
    key("runtime.region", Form::Segment, Preset::Text("local"), "Where the point stands. Part of its registration."),
    key("runtime.tenancy", Form::Segment, Preset::Text("default"), "Whom the point serves. Part of its registration."),
    key(
        "runtime.audit_bound",
        SECONDS_BOUND,
        Preset::Int(limits::DEFAULT_AUDIT_BOUND_MS / 1000),
        "Seconds that the ledger may leave this point unacknowledged before it admits nothing more and interrupts what runs. \
         Where it is longer than twice `fresh` a ledger that is gone ends admission sooner: nobody stamps the registry without \
         it, and the view is stale by then.",
    ),
    key(
        "runtime.predicate_type",
        Form::Name { most: limits::MAX_PREDICATE_TYPE },
        Preset::Text(eleven_core::attestation::PREDICATE_TYPE),
        "The predicateType of attestations, which names their form to whoever reads them: one of your own where you have one.",
    ),
    key(
        "runtime.require_durability",
        Form::OneOf { words: &["D1", "D3", "D4", "D5"] },
        Preset::Text("D1"),
        "The durability that everything the ledger has acknowledged to this point has to reach within `durability_window`: D3 \
         under a signed head, D4 cosigned by the quorum of witnesses, D5 mirrored by an auditor. Past that the point admits \
         nothing more and interrupts what runs.",
    ),
    key(
        "runtime.durability_window",
        Form::Int { least: limits::MIN_DURABILITY_WINDOW, most: limits::MAX_DURABILITY_WINDOW },
        Preset::Int(limits::DEFAULT_DURABILITY_WINDOW),
        "Seconds within which that has to be reached.",
    ),
    key(
        "runtime.gateway.upstream",
        Form::Upstream,
        Preset::Required("http://127.0.0.1:8000"),
        "Base URL of the upstream, without `/v1`.",
    ),
    key(
        "runtime.gateway.upstream_key_file",
        Form::Path,
        Preset::Unset("no key is sent"),
        "File with the API key that the upstream wants. Callers never see it.",
    ),
    key(
        "runtime.gateway.operation",
        Form::Operation,
        Preset::Text("model.invoke"),
        "The operation that a model call is.",
    ),
    key(
        "runtime.gateway.list_operation",
        Form::Operation,
        Preset::Text("model.list"),
        "The operation that a listing of models is.",
    ),
    key(
        "runtime.gateway.scope",
        Form::Operations { most: limits::MAX_SCOPE },
        Preset::List(&[]),
        "The scope that calls through this gateway touch, sorted by byte.",
    ),
    key(
        "runtime.gateway.parameters",
        Form::Members,
        Preset::List(&[]),
        "Members of a request's body, besides `model`, that enter the operation because policy reads them.",
    ),
    key(
        "runtime.gateway.max_body",
        Form::Int { least: 1024, most: 1 << 30 },
        Preset::Int(limits::DEFAULT_REQUEST_BODY as i64),
        "Bytes of a request's body; a larger one is `limits.exceeded`.",
    ),
    key(
        "runtime.gateway.max_response",
        Form::Int { least: 1024, most: 1 << 30 },
        Preset::Int(64 * 1024 * 1024),
        "Bytes that are held of a response until its evidence is durable: all of it, or the end of a stream.",
    ),
    key(
        "runtime.gateway.max_run",
        Form::Int { least: 1, most: limits::MAX_RUN as i64 },
        Preset::Int(300),
        "Seconds that a call may run where its policy does not say.",
    ),
    key(
        "operator.key",
        Form::Path,
        Preset::Text("operator.key"),
        "File with the operator's private key, for its owner only.",
    ),
];
