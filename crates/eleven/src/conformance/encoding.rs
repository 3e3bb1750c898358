//! `jcs.json` (PROTOCOL 1) and `ed25519.json` (PROTOCOL 3).

use super::Folder;
use super::report::{Report, Wrong, bytes, holds, items, member, same, text};
use eleven_core::encoding::{Value, parse, parse_canonical};
use eleven_core::hash;
use eleven_core::signature::{Tables, VerifyingKey};

/// Accepted texts and their canonical bytes; texts that must be refused.
pub(super) fn jcs(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("jcs.json")?;
    for (number, case) in items(&file, "accept")?.iter().enumerate() {
        report.check(&format!("accept {number}"), accepted(case));
    }
    for case in items(&file, "reject")? {
        report.check(&format!("reject {}", text(case, "why")?), rejected(case));
    }
    Ok(())
}

fn accepted(case: &Value) -> Result<(), Wrong> {
    let (given, wanted) = (text(case, "in")?, text(case, "out")?);
    let value = parse(given.as_bytes())?;
    same(&value.to_string().as_str(), &wanted)?;
    same(&parse_canonical(wanted.as_bytes())?, &value)?;
    let canonical = given == wanted;
    holds(
        parse_canonical(given.as_bytes()).is_ok() == canonical,
        "the canonical parser takes other than canonical bytes",
    )
}

fn rejected(case: &Value) -> Result<(), Wrong> {
    let given = match case.get("in_base64") {
        Some(_) => hash::unbase64(text(case, "in_base64")?).ok_or("`in_base64` is not base64")?,
        None => text(case, "in")?.as_bytes().to_vec(),
    };
    holds(parse(&given).is_err() && parse_canonical(&given).is_err(), "accepted")
}

/// Strict verification, with and without a table of the key's multiples: both must agree with the file.
pub(super) fn ed25519(folder: &Folder, report: &mut Report) -> Result<(), Wrong> {
    let file = folder.read("ed25519.json")?;
    for (number, case) in file.as_array().ok_or("the file is not an array")?.iter().enumerate() {
        let why = member(case, "why")?.as_str().map_or_else(|| format!("valid {number}"), str::to_owned);
        report.check(&why, verified(case));
    }
    Ok(())
}

fn verified(case: &Value) -> Result<(), Wrong> {
    let (public, message, sig) = (bytes(case, "public")?, bytes(case, "message")?, bytes(case, "sig")?);
    let wanted = *member(case, "valid")? == Value::Bool(true);
    let key = <[u8; 32]>::try_from(public).ok().and_then(|public| VerifyingKey::new(&public));
    let sig = <[u8; 64]>::try_from(sig).ok();
    let plain = key.as_ref().zip(sig).is_some_and(|(key, sig)| key.verifies(&message, &sig));
    let tabled =
        key.map(|key| key.with_table(&Tables::new(1))).zip(sig).is_some_and(|(key, sig)| key.verifies(&message, &sig));
    same(&(plain, tabled), &(wanted, wanted))
}
