//! The entities of a bundle: Cedar follows each to all that it is in, by recursion, and keeps what it finds with each.

use super::require;
use crate::compile::PolicyError;
use eleven_core::encoding::{Object, Value};
use eleven_core::limits::{MAX_ANCESTORS, MAX_DEPTH};
use std::collections::HashMap;

/// Type and id.
type Uid<'a> = (&'a str, &'a str);

/// What entities come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// What Cedar holds against a type of the schema: each entity, each tag, and each record in either. It copies the type for each of the
    /// former two, and goes over it for each of the latter.
    pub(super) values: usize,
    /// The attributes and tags of the largest: one for each value, and the bytes of strings and names.
    pub(super) largest: usize,
}

/// Measures entities, where Cedar may be given them.
pub(super) fn measure(entities: &Value) -> Result<Extent, PolicyError> {
    check(entities)?;
    let mut extent = Extent::default();
    for row in entities.as_array().unwrap_or_default() {
        let tags = row.get("tags").and_then(Value::as_object).map_or(0, Object::len);
        extent.values = extent.values.saturating_add(1 + tags);
        let parts = ["attrs", "tags"].into_iter().filter_map(|part| row.get(part)?.as_object());
        let members = parts.flat_map(|part| part.iter());
        let sizes = members.map(|(name, value)| name.len().saturating_add(size(value, &mut extent.values)));
        let all = sum(sizes);
        extent.largest = extent.largest.max(all);
    }
    Ok(extent)
}

/// What a value comes to, the records of it counted besides.
fn size(value: &Value, records: &mut usize) -> usize {
    let within = match value {
        Value::Str(text) => text.len(),
        Value::Array(items) => sum(items.iter().map(|item| size(item, records))),
        Value::Object(object) => {
            let is_escape = object.len() == 1 && (value.get("__entity").is_some() || value.get("__extn").is_some());
            // What is in one is held against no type of the schema.
            let mut escaped = 0;
            let records = if is_escape { &mut escaped } else { records };
            *records = records.saturating_add(1);
            sum(object.iter().map(|(name, value)| name.len().saturating_add(size(value, records))))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) => 0,
    };
    within.saturating_add(1)
}

/// Whether Cedar may be given these entities. An ancestor counts once for each way that leads there.
fn check(entities: &Value) -> Result<(), PolicyError> {
    let rows = entities.as_array().unwrap_or_default();
    let mut places: HashMap<Uid<'_>, usize> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        places.insert(uid(row.get("uid"))?, place);
    }
    let parents: Vec<Vec<Option<usize>>> =
        rows.iter().map(|row| parents_of(row, &places)).collect::<Result<_, PolicyError>>()?;
    let mut ancestors = vec![0usize; rows.len()];
    // What is n deep stands still after n rounds.
    for _ in 0..=MAX_DEPTH {
        let by_way_of = |parent: &Option<usize>| {
            let above = parent.and_then(|place| ancestors.get(place)).copied();
            above.unwrap_or(0).saturating_add(1)
        };
        let next: Vec<usize> = parents.iter().map(|parents| sum(parents.iter().map(by_way_of))).collect();
        if next == ancestors {
            return require(sum(next.into_iter()) <= MAX_ANCESTORS, || {
                format!("its entities have more than {MAX_ANCESTORS} ancestors, all together")
            });
        }
        ancestors = next;
    }
    Err(PolicyError::Size(format!("its entities stand in each other more than {MAX_DEPTH} deep, or in a circle")))
}

/// Where the parents of a row stand; one that has no row is followed no further.
fn parents_of(row: &Value, places: &HashMap<Uid<'_>, usize>) -> Result<Vec<Option<usize>>, PolicyError> {
    let parents = row.get("parents").and_then(Value::as_array).unwrap_or_default();
    parents.iter().map(|parent| uid(Some(parent)).map(|uid| places.get(&uid).copied())).collect()
}

/// Cedar reads other forms of a name, too; they are refused, since nothing here would follow them.
fn uid(value: Option<&Value>) -> Result<Uid<'_>, PolicyError> {
    let named = value.map(|value| value.get("__entity").unwrap_or(value));
    let uid = named.and_then(|named| Some((named.get("type")?.as_str()?, named.get("id")?.as_str()?)));
    uid.ok_or_else(|| PolicyError::Entities("name each `uid`, and each of the `parents`, as {\"type\",\"id\"}".into()))
}

fn sum(numbers: impl Iterator<Item = usize>) -> usize {
    numbers.fold(0, usize::saturating_add)
}
