//! The acts and their arguments.

use crate::identity::operator_source;
use eleven_api::secret::{HOLDER_FORM, is_holder};
use eleven_core::artifact::is_artifact_id;
use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::name;
use eleven_core::registry::exposure::Exposure;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::registry::{Item as _, RuntimeRecord, SourceRecord};
use eleven_core::root::{KeyRecord, TrustRoot};
use eleven_core::signature::bytes32;
use eleven_core::subject;
use eleven_core::time::Time;

/// What an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `policy.publish` {bundle}.
    PolicyPublish {
        /// The policy bundle.
        bundle: Value,
    },
    /// `policy.retire` {ref}.
    PolicyRetire {
        /// The policy in force.
        reference: String,
    },
    /// `artifact.revoke` {artifact | operation, why?}.
    ArtifactRevoke {
        /// The artifact.
        artifact: String,
        /// Why, in a word.
        why: String,
    },
    /// `key.register` {key}.
    KeyRegister {
        /// The record, status active.
        key: KeyRecord,
    },
    /// `key.retire` {kid}.
    KeyRetire {
        /// The key.
        kid: String,
    },
    /// `key.compromise` {kid, since}.
    KeyCompromise {
        /// The key.
        kid: String,
        /// From when it may have been in other hands; of the last two seconds, it is recorded as two seconds ago, for the
        /// ledger's clock may be that far behind.
        since: Time,
    },
    /// `root.publish` {root}.
    RootPublish {
        /// The next version, signed by both thresholds: the authority holds no root key.
        root: TrustRoot,
    },
    /// `runtime.register` {point, runtime, region, tenancy, mode, binary, config, kid}.
    RuntimeRegister {
        /// What is approved for the point.
        record: RuntimeRecord,
    },
    /// `runtime.remove` {point}.
    RuntimeRemove {
        /// The point.
        point: String,
    },
    /// `source.register` {name, source, mapping}.
    SourceRegister {
        /// The source.
        record: SourceRecord,
    },
    /// `source.remove` {name}.
    SourceRemove {
        /// The source.
        name: String,
    },
    /// `client.add` {client, identity, hash?}: answers `secret`, once, where no hash of one came.
    ClientAdd {
        /// The client's name.
        client: String,
        /// The identity that its secret stands for.
        identity: String,
        /// The hash of the secret, where that was made elsewhere.
        hash: Option<Sha3>,
    },
    /// `auditor.add` {auditor, identity, hash?}: answers `secret`, once, where no hash of one came.
    AuditorAdd {
        /// The auditor's name.
        auditor: String,
        /// The identity that its secret stands for.
        identity: String,
        /// The hash of the secret, where that was made elsewhere.
        hash: Option<Sha3>,
    },
    /// `auditor.revoke` {auditor}.
    AuditorRevoke {
        /// The auditor's name.
        auditor: String,
    },
    /// `operator.add` {operator, identity, kid, public}.
    OperatorAdd {
        /// The operator's row: its key was made elsewhere, and only the public half comes here.
        record: SourceRecord,
    },
    /// `operator.remove` {operator}.
    OperatorRemove {
        /// The operator's name.
        operator: String,
    },
    /// `exposure.set` {exposure}.
    ExposureSet {
        /// How much of the ledger strangers may read.
        exposure: Exposure,
    },
    /// `client.revoke` {client}.
    ClientRevoke {
        /// The client's name.
        client: String,
    },
    /// `identity.issue` {identity}: answers `token`, good for fifteen minutes.
    IdentityIssue {
        /// The identity.
        identity: String,
    },
    /// `retention.set` {days, regime}.
    RetentionSet {
        /// How long content is kept, and for which regime.
        retention: Retention,
    },
    /// `hold.place` {kind, subject} and `hold.lift` {kind, subject}.
    Hold {
        /// The operation or identity.
        hold: Hold,
        /// Whether it is placed or lifted.
        placed: bool,
    },
    /// `subject.contain` {kind, subject}.
    SubjectContain {
        /// The kind of subject.
        kind: String,
        /// The subject.
        subject: String,
    },
    /// `subject.lift` {kind, subject}.
    SubjectLift {
        /// The kind of subject.
        kind: String,
        /// The subject.
        subject: String,
    },
}

impl Act {
    /// Reads an act by its name and exactly its arguments.
    ///
    /// # Errors
    /// Where there is no such act, or an argument is missing, unknown or of another form.
    pub fn read(act: &str, args: Object) -> Result<Self, FormError> {
        let mut form = Form::of_object(args.clone(), "args");
        let whole = || Value::Object(args.clone());
        let read = match act {
            "policy.publish" => Self::PolicyPublish { bundle: form.take("bundle")? },
            "policy.retire" => {
                Self::PolicyRetire { reference: form.named("ref", "a policy's reference", name::is_policy)? }
            }
            "artifact.revoke" => read_revoke(&mut form)?,
            "key.register" => Self::KeyRegister { key: KeyRecord::read(form.take("key")?)? },
            "key.retire" => Self::KeyRetire { kid: read_kid(&mut form)? },
            "key.compromise" => Self::KeyCompromise { kid: read_kid(&mut form)?, since: form.millis("since")? },
            "root.publish" => Self::RootPublish { root: TrustRoot::read(form.take("root")?)? },
            "runtime.register" => return Ok(Self::RuntimeRegister { record: RuntimeRecord::read(whole())? }),
            "runtime.remove" => {
                Self::RuntimeRemove { point: form.named("point", "an enforcement point", name::is_point)? }
            }
            "source.register" => return Ok(Self::SourceRegister { record: SourceRecord::read(whole())? }),
            "source.remove" => Self::SourceRemove { name: form.named("name", "a source's name", name::is_segment)? },
            "client.add" => {
                let (client, identity) = (form.string("client")?, read_local_identity(&mut form)?);
                Self::ClientAdd { client, identity, hash: read_hash(&mut form)? }
            }
            "auditor.add" => {
                let (auditor, identity) = (form.string("auditor")?, read_local_identity(&mut form)?);
                Self::AuditorAdd { auditor, identity, hash: read_hash(&mut form)? }
            }
            "auditor.revoke" => Self::AuditorRevoke { auditor: form.string("auditor")? },
            "operator.add" => Self::OperatorAdd { record: read_operator(&mut form)? },
            "operator.remove" => Self::OperatorRemove { operator: form.string("operator")? },
            "exposure.set" => {
                let exposure = Exposure::parse(&form.string("exposure")?);
                let exposure =
                    exposure.ok_or_else(|| form.wrong("exposure", "none of open, by-possession, private"))?;
                Self::ExposureSet { exposure }
            }
            "client.revoke" => Self::ClientRevoke { client: form.string("client")? },
            "identity.issue" => Self::IdentityIssue { identity: read_local_identity(&mut form)? },
            "retention.set" => {
                let (days, regime) = (form.positive("days")?, form.string("regime")?);
                Self::RetentionSet { retention: Retention::new(days, &regime).map_err(|why| FormError(why.into()))? }
            }
            "hold.place" => Self::Hold { hold: read_hold(&mut form)?, placed: true },
            "hold.lift" => Self::Hold { hold: read_hold(&mut form)?, placed: false },
            "subject.contain" => {
                let (kind, subject) = read_subject(&mut form)?;
                Self::SubjectContain { kind, subject }
            }
            "subject.lift" => {
                let (kind, subject) = read_subject(&mut form)?;
                Self::SubjectLift { kind, subject }
            }
            _ => return Err(FormError(format!("there is no act `{act}`"))),
        };
        form.finish()?;
        Ok(read)
    }

    /// Whether it is made of events, as all are that change something.
    #[must_use]
    pub const fn makes_events(&self) -> bool {
        !matches!(self, Self::IdentityIssue { .. })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PolicyPublish { .. } => "policy.publish",
            Self::PolicyRetire { .. } => "policy.retire",
            Self::ArtifactRevoke { .. } => "artifact.revoke",
            Self::KeyRegister { .. } => "key.register",
            Self::KeyRetire { .. } => "key.retire",
            Self::KeyCompromise { .. } => "key.compromise",
            Self::RootPublish { .. } => "root.publish",
            Self::RuntimeRegister { .. } => "runtime.register",
            Self::RuntimeRemove { .. } => "runtime.remove",
            Self::SourceRegister { .. } => "source.register",
            Self::SourceRemove { .. } => "source.remove",
            Self::ClientAdd { .. } => "client.add",
            Self::AuditorAdd { .. } => "auditor.add",
            Self::AuditorRevoke { .. } => "auditor.revoke",
            Self::OperatorAdd { .. } => "operator.add",
            Self::OperatorRemove { .. } => "operator.remove",
            Self::ExposureSet { .. } => "exposure.set",
            Self::ClientRevoke { .. } => "client.revoke",
            Self::IdentityIssue { .. } => "identity.issue",
            Self::RetentionSet { .. } => "retention.set",
            Self::Hold { placed: true, .. } => "hold.place",
            Self::Hold { placed: false, .. } => "hold.lift",
            Self::SubjectContain { .. } => "subject.contain",
            Self::SubjectLift { .. } => "subject.lift",
        }
    }
}

/// An artifact by its id, or by the operation that it authorises.
fn read_revoke(form: &mut Form<'_>) -> Result<Act, FormError> {
    let artifact = if form.has("artifact") {
        form.named("artifact", "an artifact id", is_artifact_id)?
    } else {
        let operation = form.string("operation")?;
        let operation = id::operation_of_lineage(&operation).unwrap_or(&operation);
        let base = id::split_operation(operation).map(|(base, _)| base);
        format!("auth_{}", base.ok_or_else(|| form.wrong("operation", "not an operation id"))?)
    };
    let why = form.opt_named("why", "a word", name::is_segment)?.unwrap_or_else(|| "operator".to_owned());
    Ok(Act::ArtifactRevoke { artifact, why })
}

fn read_kid(form: &mut Form<'_>) -> Result<String, FormError> {
    form.named("kid", "a key's name: `eleven key list` shows them", name::is_key)
}

/// An identity of this domain: no authority speaks for another's.
fn read_local_identity(form: &mut Form<'_>) -> Result<String, FormError> {
    form.named("identity", "an identity of this domain, such as `svc:demo-app:dev`", |text| {
        name::is_identity(text) && !text.contains('@')
    })
}

/// The hash of a secret that was made where the act was.
fn read_hash(form: &mut Form<'_>) -> Result<Option<Sha3>, FormError> {
    if form.has("hash") { form.sha3("hash").map(Some) } else { Ok(None) }
}

/// The row of an operator who is to be added.
fn read_operator(form: &mut Form<'_>) -> Result<SourceRecord, FormError> {
    let operator = form.named("operator", HOLDER_FORM, is_holder)?;
    let (identity, kid) = (read_local_identity(form)?, read_kid(form)?);
    let public = bytes32(&form.string("public")?).ok_or_else(|| form.wrong("public", "not 32 bytes in base64"))?;
    Ok(operator_source(&operator, &identity, &kid, &public))
}

fn read_hold(form: &mut Form<'_>) -> Result<Hold, FormError> {
    let (kind, subject) = (form.string("kind")?, form.string("subject")?);
    let subject = id::operation_of_lineage(&subject).unwrap_or(&subject);
    Hold::on(&kind, subject).map_err(|why| FormError(why.into()))
}

fn read_subject(form: &mut Form<'_>) -> Result<(String, String), FormError> {
    let (kind, text) = (form.string("kind")?, form.string("subject")?);
    if subject::is_subject(&kind, &text) {
        Ok((kind, text))
    } else {
        Err(form.wrong("subject", "not a subject of its kind"))
    }
}

#[cfg(test)]
mod tests;
