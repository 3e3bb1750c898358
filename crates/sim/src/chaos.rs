//! What goes wrong, and when: all of it by the dice.

use crate::node::Node;
use eleven_store::faulty::{Dice, Effect, Fault, FaultyDisk, Survival};

/// Something that happens to the world.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A process is killed; its machine goes on, with what is in its cache.
    Kill(Node),
    /// A machine stops.
    Crash(Node),
    /// Nothing reaches a node or leaves it for a while.
    Cut(Node, u64),
    /// The disk of a node will fail at one of its next operations.
    Fault(Node),
    /// The disk of a node is full for a while.
    Full(Node, u64),
    /// The clock of a node steps, back or forth, by milliseconds.
    Step(Node, i64),
}

impl Trouble {
    /// The next one.
    pub(crate) fn draw(dice: &mut Dice, nodes: &[Node]) -> Self {
        let node = nodes[usize::try_from(dice.below(nodes.len() as u64)).unwrap_or(0)];
        // Half of all of it is the ledger's.
        let node = if dice.coin() { Node::Ledger } else { node };
        let disk = if node == Node::Issuer { Node::Ledger } else { node };
        let millis = |span: u64| i64::try_from(span).unwrap_or(0);
        match dice.below(10) {
            0 => Self::Kill(node),
            1 => Self::Crash(node),
            2 => Self::Cut(node, 200 + dice.below(4000)),
            3..=6 => Self::Fault(disk),
            7 => Self::Full(disk, 500 + dice.below(3000)),
            8 => Self::Step(node, -millis(dice.below(8000))),
            _ => Self::Step(node, millis(dice.below(3000))),
        }
    }
}

/// Lets one of the next operations of a disk fail.
pub(crate) fn plan(dice: &mut Dice, disk: &FaultyDisk) -> (usize, Fault) {
    let at = disk.operations() + usize::try_from(dice.below(12)).unwrap_or(0);
    let part = usize::try_from(1 + dice.below(3000)).unwrap_or(1);
    let effect = match dice.below(3) {
        0 => Effect::Nothing,
        1 => Effect::Part(part),
        _ => Effect::All,
    };
    let fault = match dice.below(6) {
        0 | 1 => Fault::Eio(effect),
        2 => Fault::Enospc(effect),
        3 => Fault::Short(part),
        _ => Fault::Crash,
    };
    disk.plan(at, fault);
    (at, fault)
}

/// What of the unsynced survives a crash.
pub(crate) fn survival(dice: &mut Dice) -> Survival {
    match dice.below(5) {
        0 => Survival::Lost,
        1 => Survival::Kept,
        2 => Survival::Torn(usize::try_from(dice.below(6000)).unwrap_or(0)),
        _ => Survival::Scattered(dice.roll()),
    }
}
