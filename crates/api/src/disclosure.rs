//! `POST /runtime/disclosures/open` and `/erase` (PROTOCOL 5.2, 12): what a point committed on a caller's behalf, shown or
//! erased as a governed operation of its own.

use crate::audit::Durability;
use eleven_core::artifact::Operation;
use eleven_core::disclosure::Disclosure;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError, require};
use eleven_core::id;

/// What is asked of the owner's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// To show disclosures.
    Open,
    /// To erase them.
    Erase,
}

impl Asking {
    /// The governed operation that it is; its scope is the same name.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Open => "disclosure.open",
            Self::Erase => "disclosure.erase",
        }
    }
}

/// Of which operation, which paths, and what for. The purpose stands in the artifact, for whoever may read the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclose {
    /// The operation whose artifact holds the commitments.
    pub op: String,
    /// The paths; all of them where there are none here.
    pub paths: Vec<String>,
    /// What for, in words.
    pub purpose: String,
}

impl Disclose {
    /// Reads exactly `{op, paths, purpose}`.
    ///
    /// # Errors
    /// Where it is not of that form, or the purpose is empty.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse(body)?, "disclosure request")?;
        let op = form.named("op", "an operation id", |op| id::split_operation(op).is_some())?;
        let (paths, purpose) = (form.strings("paths")?, form.string("purpose")?);
        form.finish()?;
        require(!purpose.trim().is_empty(), "disclosure request: `purpose` is empty: say what for")?;
        Ok(Self { op, paths, purpose })
    }

    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("op", &self.op).with("paths", self.paths.as_slice());
        Value::Object(object.with("purpose", &self.purpose))
    }

    /// The operation that has to be authorised. All uses of an artifact share its commitments, so it names what they share:
    /// whoever names one use reaches what was kept of them all, and no policy is to hear of a use that never was.
    ///
    /// # Errors
    /// Where it is past a limit: shorten the purpose.
    pub fn operation(&self, asking: Asking) -> Result<Operation, FormError> {
        let name = asking.operation();
        let lineage = id::split_operation(&self.op).map_or(self.op.as_str(), |(content, _)| content);
        let op = Object::new().with("lineage", lineage).with("name", name).with("paths", self.paths.as_slice());
        Operation::read(Value::Object(op.with("purpose", &self.purpose).with("scope", vec![Value::from(name)])))
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// What was shown; none where it was erased.
    pub disclosures: Vec<Disclosure>,
    /// How many were shown or erased.
    pub count: u64,
    /// The lineage of the act itself.
    pub lineage: String,
    /// How durable its evidence is.
    pub durability: Durability,
}

impl Disclosed {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let shown: Vec<Value> = self.disclosures.iter().map(Disclosure::to_value).collect();
        let object = Object::new().with("count", self.count).with("disclosures", shown);
        Value::Object(object.with("durability", self.durability.name()).with("lineage", &self.lineage))
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Where it is not of its form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(crate::answer::read_json(body)?, "disclosure answer")?;
        let disclosures = form.array("disclosures")?.iter().map(Disclosure::read).collect::<Result<_, _>>()?;
        let (count, lineage) = (form.uint("count")?, form.string("lineage")?);
        let durability = form.string("durability")?;
        let durability = Durability::parse(&durability).ok_or_else(|| form.wrong("durability", "no level"))?;
        form.finish()?;
        let named = id::operation_of_lineage(&lineage).and_then(id::split_operation);
        require(named.is_some(), "disclosure answer: `lineage` is no lineage's name")?;
        Ok(Self { disclosures, count, lineage, durability })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_a_lineage_and_says_nothing_else_in_its_place() {
        let lineage = id::lineage_name("6C7JKP9B668C2QY904W2Q9DWCCBEE142");
        let said = Disclosed { disclosures: Vec::new(), count: 2, lineage, durability: Durability::D1 };
        let read = |said: &Disclosed| Disclosed::read(&said.to_value().canonical());
        assert_eq!(read(&said).as_ref(), Ok(&said));
        let of_use = Disclosed { lineage: format!("{}.3", said.lineage), ..said.clone() };
        assert_eq!(read(&of_use).as_ref(), Ok(&of_use));
        for lineage in ["", "6C7JKP9B668C2QY904W2Q9DWCCBEE142", &format!("{}\nVERIFIED", said.lineage)] {
            assert!(read(&Disclosed { lineage: lineage.to_owned(), ..said.clone() }).is_err(), "{lineage:?}");
        }
    }
}
